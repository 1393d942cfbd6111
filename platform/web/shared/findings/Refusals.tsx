/** What was not measured, and why. */
import { useTranslation } from 'react-i18next';

import type { RefusalItem } from '../types';
import { groupRefusals } from './groupRefusals';

export function Refusals({ refusals }: { refusals: RefusalItem[] }) {
  const { t } = useTranslation();
  if (refusals.length === 0) return null;
  return (
    <section className="ef-refusals" aria-label={t('viewer.refusals')}>
      <h3>{t('viewer.refusals')}</h3>
      <ul>
        {groupRefusals(refusals).map((group) => (
          <li key={group.key}>
            <p>{group.text}</p>
            <p className="ef-note">
              {group.subjects.join(', ') || group.package} <code>{group.code}</code>
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}
