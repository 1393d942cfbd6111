/** Whether today's images and results are like the first ones. */
import { Badge, Group, SimpleGrid, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';

import type { DriftFeature, Drift as Found } from '../../../shared/facts';
import { date, decimal, unit } from '../../../shared/format';
import { percent } from './Agreement';
import { PairedBars } from './plots';

const COLOUR = { none: 'green', moderate: 'yellow', large: 'red' } as const;

export function Drift({ found }: { found: Found }) {
  const { t, i18n } = useTranslation();
  if (!found.enough) {
    return (
      <Text size="sm" c="dimmed">
        {t('engine.facts.drift_few', { n: found.recent.n, needed: found.needed })}
      </Text>
    );
  }
  return (
    <>
      <Text size="sm" c="dimmed" mb="sm">
        {t('engine.facts.drift_periods', {
          n: found.reference.n,
          from: date(found.reference.from),
          to: date(found.reference.to),
          recent_n: found.recent.n,
          recent_from: date(found.recent.from),
          recent_to: date(found.recent.to),
        })}
      </Text>
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
        {[...found.inputs, ...found.outputs].map((feature) => (
          <Feature key={feature.feature} feature={feature} />
        ))}
      </SimpleGrid>
      <Text size="sm" mt="sm">
        {t('engine.facts.refusal_rate', {
          before: percent(found.refusals.reference, i18n.language),
          now: percent(found.refusals.recent, i18n.language),
        })}
        {found.refusals.by_code.length > 0 &&
          `: ${found.refusals.by_code.map((c) => `${c.code} ${c.count}`).join(', ')}`}
      </Text>
    </>
  );
}

function Feature({ feature }: { feature: DriftFeature }) {
  const { t, i18n } = useTranslation();
  const shown = unit(feature.unit);
  return (
    <div>
      <Group gap={6}>
        <Text size="sm" fw={600}>
          {feature.title} {shown && `(${shown})`}
        </Text>
        <Badge size="xs" variant="light" color={COLOUR[feature.level]}>
          {t(`engine.facts.drift.${feature.level}`)}
        </Badge>
      </Group>
      <PairedBars
        bins={feature.bins}
        label={feature.title}
        caption={`PSI ${decimal(feature.psi.toFixed(2), i18n.language)} · ${t('engine.facts.bars')}`}
      />
    </div>
  );
}
