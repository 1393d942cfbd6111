/** The reader's own values in place of the computed ones. */
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { decimal, unit } from '../format';
import type { FindingItem } from '../types';
import { parseValue } from './useFindings';
import type { Decision } from './useFindings';

interface Properties {
  finding: FindingItem;
  busy: boolean;
  onDecide: (decision: Decision) => void;
  onCancel: () => void;
}

export function EditForm({ finding, busy, onDecide, onCancel }: Properties) {
  const { t, i18n } = useTranslation();
  const [typed, setTyped] = useState<Record<string, string>>({});
  const [reason, setReason] = useState('');
  const values: Record<string, number> = {};
  let wrong = false;
  for (const m of finding.measurements) {
    const text = typed[m.id];
    if (text === undefined) continue;
    const value = parseValue(text);
    if (value === null) wrong = true;
    else if (value !== m.value) values[m.id] = value;
  }
  const ready = !wrong && Object.keys(values).length > 0 && !busy;
  return (
    <form
      className="ef-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (ready) onDecide({ kind: 'edit', values, reason: reason.trim() });
      }}
    >
      {finding.measurements.map((m, index) => (
        <label key={m.id}>
          <span>
            {m.title} {unit(m.unit) && `(${unit(m.unit)})`}
          </span>
          <input
            autoFocus={index === 0}
            inputMode="decimal"
            value={typed[m.id] ?? decimal(m.shown, i18n.language)}
            aria-invalid={typed[m.id] !== undefined && parseValue(typed[m.id] ?? '') === null}
            onChange={(event) => setTyped({ ...typed, [m.id]: event.target.value })}
          />
        </label>
      ))}
      <label>
        <span>{t('viewer.edit.reason')}</span>
        <input value={reason} maxLength={200} onChange={(event) => setReason(event.target.value)} />
      </label>
      {wrong && <p className="ef-error">{t('viewer.edit.not_a_number')}</p>}
      <div className="ef-actions">
        <button type="submit" className="ef-primary" disabled={!ready}>
          {t('viewer.edit.save')}
        </button>
        <button type="button" onClick={onCancel}>
          {t('viewer.cancel')}
        </button>
      </div>
    </form>
  );
}
