/** Who stands behind a finding: nobody yet, or a named reader. */
import { useTranslation } from 'react-i18next';

import type { FindingItem } from '../types';

export function StateBadge({ finding }: { finding: FindingItem }) {
  const { t } = useTranslation();
  const held = finding.lane === 'shadow' || finding.lane === 'pilot' ? finding.lane : null;
  return (
    <p className="ef-state" data-state={finding.state}>
      {held && <strong data-lane={held}>{t(`engine.lane.${held}`)}</strong>}
      {finding.unverified && <strong>{t('viewer.unverified')}</strong>}
      <span>{t(`viewer.state.${finding.state}`)}</span>
      <span className="ef-source">
        {finding.package} {finding.version}
      </span>
    </p>
  );
}
