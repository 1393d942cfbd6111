/** What readers made of the results: accepted, edited, rejected, and by how much. */
import { Group, SimpleGrid, Table, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';

import type { Agreement as Found, Decided, Estimate } from '../../../shared/facts';
import { date, decimal, unit } from '../../../shared/format';
import { BlandAltman, tick } from './plots';

export function percent(estimate: Partial<Estimate>, language: string): string {
  if (estimate.value === null || estimate.value === undefined) return '–';
  const shown = (v: number) => decimal((100 * v).toFixed(0), language);
  const inside =
    estimate.low != null && estimate.high != null
      ? ` (${shown(estimate.low)}–${shown(estimate.high)})`
      : '';
  return `${shown(estimate.value)} %${inside}`;
}

export function Agreement({ found }: { found: Found }) {
  const { t, i18n } = useTranslation();
  if (found.decided === 0) {
    return (
      <Text size="sm" c="dimmed">
        {t('engine.facts.no_decisions', { waiting: found.waiting })}
      </Text>
    );
  }
  return (
    <>
      <Group gap="xl" mb="sm">
        {(['accepted', 'edited', 'rejected'] as const).map((key) => (
          <div key={key}>
            <Text size="xs" c="dimmed">
              {t(`engine.facts.${key}`)}
            </Text>
            <Text fw={600}>{percent(found.rates[key], i18n.language)}</Text>
          </div>
        ))}
        <div>
          <Text size="xs" c="dimmed">
            {t('engine.facts.decided')}
          </Text>
          <Text fw={600}>
            {found.decided} / {found.decided + found.waiting}
          </Text>
        </div>
      </Group>
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        <Decisions
          title={t('engine.facts.by_finding')}
          rows={found.by_finding.map((f) => ({ ...f, name: f.title }))}
        />
        <Decisions
          title={t('engine.facts.by_version')}
          rows={found.by_version.map((v) => ({ ...v, name: v.version }))}
        />
        <Decisions
          title={t('engine.facts.by_week')}
          rows={found.over_time.map((w) => ({ ...w, name: date(w.from) }))}
        />
        {found.reasons.length > 0 && (
          <div>
            <Text size="sm" fw={600}>
              {t('engine.facts.reasons')}
            </Text>
            {found.reasons.map((reason) => (
              <Text key={reason.reason} size="sm">
                {reason.count} × {reason.text}
              </Text>
            ))}
          </div>
        )}
        {found.values.map((each) => (
          <BlandAltman
            key={each.measurement}
            points={each.points.map((p) => [(p.ai + p.reader) / 2, p.ai - p.reader])}
            bias={each.bias}
            low={each.low}
            high={each.high}
            xTitle={t('engine.facts.mean_of_both', { unit: unit(each.unit) })}
            yTitle={t('engine.facts.ai_minus_reader', { unit: unit(each.unit) })}
            label={`${each.title}: Bland–Altman`}
            caption={t('engine.facts.bland_altman', {
              title: each.title,
              n: each.n,
              bias: decimal(tick(each.bias), i18n.language),
              low: decimal(tick(each.low), i18n.language),
              high: decimal(tick(each.high), i18n.language),
              unit: unit(each.unit),
            })}
          />
        ))}
      </SimpleGrid>
    </>
  );
}

function Decisions({ title, rows }: { title: string; rows: ({ name: string } & Decided)[] }) {
  const { t } = useTranslation();
  return (
    <Table verticalSpacing={3}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{title}</Table.Th>
          <Table.Th />
          <Table.Th ta="right">n</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {rows.map((row) => (
          <Table.Tr key={row.name}>
            <Table.Td>{row.name}</Table.Td>
            <Table.Td w="45%">
              <div
                className="en-share"
                role="img"
                aria-label={(['accepted', 'edited', 'rejected'] as const)
                  .map((key) => `${t(`engine.facts.${key}`)} ${row[key]}`)
                  .join(', ')}
              >
                {(['accepted', 'edited', 'rejected'] as const).map((key) => (
                  <i key={key} data-kind={key} style={{ flexGrow: row[key] }} />
                ))}
              </div>
            </Table.Td>
            <Table.Td ta="right">{row.decided}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
