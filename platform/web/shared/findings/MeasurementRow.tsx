/** One value with its unit; a click shows how it was computed. */
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { decimal, decimalLike, unit } from '../format';
import type { MeasurementItem } from '../types';

export function MeasurementRow({ measurement: m }: { measurement: MeasurementItem }) {
  const { t, i18n } = useTranslation();
  const [open, setOpen] = useState(false);
  const number = (value: number | string) => decimal(String(value), i18n.language);
  return (
    <div className="ef-measurement">
      <button
        type="button"
        className="ef-value"
        aria-expanded={open}
        title={t('viewer.value.explain')}
        onClick={() => setOpen(!open)}
      >
        <span className="ef-value-title">{m.title}</span>
        {m.outside_plausible && (
          <span className="ef-flag" title={t('viewer.value.implausible')}>
            {t('viewer.value.implausible_short')}
          </span>
        )}
        <span className="ef-number">
          {number(m.shown)} <small>{unit(m.unit)}</small>
        </span>
      </button>
      {m.ai_value !== null && (
        <p className="ef-note">
          {t('viewer.value.ai_was', {
            value: `${decimalLike(m.ai_value, m.shown, i18n.language)} ${unit(m.unit)}`,
          })}
        </p>
      )}
      {open && (
        <dl className="ef-method">
          <dt>{t('viewer.value.method')}</dt>
          <dd>{m.method || '–'}</dd>
          <dt>{t('viewer.value.formula')}</dt>
          <dd>
            <code>{m.formula || '–'}</code>
          </dd>
          <dt>{t('viewer.value.reference')}</dt>
          <dd>{m.reference || '–'}</dd>
          {m.plausible && (
            <>
              <dt>{t('viewer.value.plausible')}</dt>
              <dd>
                {number(m.plausible[0])} – {number(m.plausible[1])} {unit(m.unit)}
              </dd>
            </>
          )}
        </dl>
      )}
    </div>
  );
}
