/** A mask to edit: which finding's outline, and what to paint or erase on its slices. */
import { useTranslation } from 'react-i18next';

import type { FindingItem, FunctionInput } from '../../../shared/types';
import type { MaskValue } from './values';

interface Properties {
  input: FunctionInput;
  outputs: string[];
  value: MaskValue | undefined;
  findings: FindingItem[];
  drawing: 'paint' | 'erase' | null;
  onChoose: (value: MaskValue | null) => void;
  onDraw: (action: 'paint' | 'erase' | null) => void;
  onUndo: () => void;
}

export function MaskRow({ input, outputs, value, findings, drawing, ...p }: Properties) {
  const { t } = useTranslation();
  // What the function would write itself is what it can edit.
  const outlined = findings.flatMap((finding) =>
    finding.segments.filter((s) => outputs.includes(s.id)).map((segment) => ({ finding, segment })),
  );
  const keyOf = (each: { finding: FindingItem; segment: { id: string } }) =>
    `${each.finding.id}#${each.segment.id}`;
  if (outlined.length === 0) return <p className="ef-note">{t('functions.viewer.mask_none')}</p>;
  return (
    <div className="en-input" data-given={(value?.strokes.length ?? 0) > 0}>
      <label>
        <span className="en-name">{input.title}</span>
        <select
          value={value ? keyOf(value) : ''}
          onChange={(event) => {
            const found = outlined.find((each) => keyOf(each) === event.target.value);
            p.onChoose(found ? { ...found, strokes: [] } : null);
          }}
        >
          <option value="">{t('functions.viewer.mask_choose')}</option>
          {outlined.map((each) => (
            <option key={keyOf(each)} value={keyOf(each)}>
              {each.finding.title}
              {each.segment.title !== each.finding.title && `: ${each.segment.title}`}
            </option>
          ))}
        </select>
      </label>
      {value && (
        <>
          <div className="ef-actions">
            {(['paint', 'erase'] as const).map((action) => (
              <button
                key={action}
                type="button"
                aria-pressed={drawing === action}
                onClick={() => p.onDraw(drawing === action ? null : action)}
              >
                {t(`functions.viewer.${action}`)}
              </button>
            ))}
          </div>
          <p className="ef-note" role="status">
            {drawing && t('functions.viewer.place_contour')}{' '}
            {value.strokes.length > 0 && (
              <>
                {t('functions.viewer.strokes', { count: value.strokes.length })}{' '}
                <button type="button" className="ef-link" onClick={p.onUndo}>
                  {t('functions.viewer.undo')}
                </button>
              </>
            )}
          </p>
        </>
      )}
    </div>
  );
}
