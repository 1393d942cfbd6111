/** What was not measured, and why. */
import { useTranslation } from 'react-i18next';

import type { RefusalItem } from '../types';

export function Refusals({ refusals }: { refusals: RefusalItem[] }) {
  const { t } = useTranslation();
  if (refusals.length === 0) return null;
  return (
    <section className="ef-refusals" aria-label={t('viewer.refusals')}>
      <h3>{t('viewer.refusals')}</h3>
      <ul>
        {refusals.map((refusal) => (
          <li key={`${refusal.package}/${refusal.subject}/${refusal.code}/${refusal.series_uid}`}>
            <strong>{refusal.subject_title || refusal.package}</strong> <code>{refusal.code}</code>
            <br />
            {refusal.text}
          </li>
        ))}
      </ul>
    </section>
  );
}
