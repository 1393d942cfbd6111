/** One input of a function: what to place or type, and what has been given. */
import { useTranslation } from 'react-i18next';

import { decimal, unit } from '../../../shared/format';
import type { FunctionInput } from '../../../shared/types';
import type { Values } from './values';
import { countsOf, isGiven, numberOf, shapeOf, typedOf } from './values';

interface Properties {
  input: FunctionInput;
  values: Values;
  placing: boolean;
  onPlace: () => void;
  onUndo: () => void;
  onType: (text: string) => void;
  onShape: (shape: 'ellipse' | 'rectangle') => void;
}

export function InputRow(p: Properties) {
  const { t } = useTranslation();
  const { input } = p;
  const name = (
    <span className="en-name">
      {input.title} {input.unit && unit(input.unit) && `(${unit(input.unit)})`}
      {input.optional && <small> · {t('functions.viewer.optional')}</small>}
    </span>
  );
  if (input.kind === 'number') return <NumberField {...p} name={name} />;
  if (input.kind === 'choice') {
    return (
      <label>
        {name}
        <select value={typedOf(input, p.values)} onChange={(e) => p.onType(e.target.value)}>
          {typedOf(input, p.values) === '' && <option value="" />}
          {input.choices?.map((choice) => (
            <option key={choice.value} value={choice.value}>
              {choice.title}
            </option>
          ))}
        </select>
      </label>
    );
  }
  return <PlacedRow {...p} name={name} />;
}

function NumberField({ input, values, onType, name }: Properties & { name: React.ReactNode }) {
  const { t, i18n } = useTranslation();
  const text = values.typed[input.name] ?? decimal(typedOf(input, values), i18n.language);
  const wrong = text !== '' && numberOf(input, values) === null;
  const shown = (bound: number | null | undefined) =>
    bound === null || bound === undefined ? '…' : decimal(String(bound), i18n.language);
  return (
    <label>
      {name}
      <input
        inputMode="decimal"
        value={text}
        aria-invalid={wrong}
        onChange={(event) => onType(event.target.value)}
      />
      {wrong && (
        <span className="ef-error">
          {t('functions.viewer.not_a_number')}{' '}
          {t('functions.viewer.bounds', { low: shown(input.min), high: shown(input.max) })}
        </span>
      )}
    </label>
  );
}

function PlacedRow(p: Properties & { name: React.ReactNode }) {
  const { t } = useTranslation();
  const { input, values } = p;
  const shape = shapeOf(input, values);
  const count = (values.placed[input.name] ?? []).length;
  const [, most] = countsOf(input);
  const given = isGiven(input, values) && count > 0;
  return (
    <div className="en-input" data-given={given} data-placing={p.placing}>
      <div className="en-line">
        <span aria-hidden="true">{given ? '✓' : '○'}</span>
        {p.name}
        {input.kind === 'roi' && (input.shapes?.length ?? 0) > 1 && (
          <select
            aria-label={input.title}
            value={shape ?? ''}
            onChange={(e) => p.onShape(e.target.value === 'rectangle' ? 'rectangle' : 'ellipse')}
          >
            {input.shapes?.map((each) => (
              <option key={each} value={each}>
                {t(`functions.viewer.shape.${each}`)}
              </option>
            ))}
          </select>
        )}
      </div>
      <p className="ef-note" role="status">
        {p.placing
          ? t(`functions.viewer.place_${shape}`)
          : count > 0 &&
            (most > 1
              ? t('functions.viewer.placed_count', { count })
              : t('functions.viewer.placed'))}{' '}
        {!p.placing && (
          <button type="button" className="ef-link" onClick={p.onPlace}>
            {count === 0
              ? t('functions.viewer.start')
              : most > 1 && count < most
                ? t('functions.viewer.place_more')
                : t('functions.viewer.place_again')}
          </button>
        )}{' '}
        {count > 0 && most > 1 && (
          <button type="button" className="ef-link" onClick={p.onUndo}>
            {t('functions.viewer.undo')}
          </button>
        )}
      </p>
    </div>
  );
}
