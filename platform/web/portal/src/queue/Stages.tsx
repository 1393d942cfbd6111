/** How long each stage takes: half of the jobs within the dark bar, 95 % within the light one. */
import { Table, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';

import type { Queue } from '../../../shared/engine';
import { duration } from '../../../shared/format';

export function Stages({ durations }: { durations: Queue['durations'] }) {
  const { t, i18n } = useTranslation();
  if (durations.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        {t('engine.queue.no_durations')}
      </Text>
    );
  }
  const longest = Math.max(
    ...durations.filter((d) => d.stage !== 'total').map((d) => d.p95_s),
    0.1,
  );
  return (
    <Table verticalSpacing={4}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{t('engine.queue.stage')}</Table.Th>
          <Table.Th />
          <Table.Th ta="right">{t('engine.queue.half')}</Table.Th>
          <Table.Th ta="right">{t('engine.queue.most_jobs')}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {durations.map((each) => (
          <Table.Tr key={each.stage}>
            <Table.Td>{each.title}</Table.Td>
            <Table.Td w="40%">
              {each.stage !== 'total' && (
                <div className="en-span" aria-hidden="true">
                  <i style={{ width: `${(100 * each.p95_s) / longest}%` }} />
                  <b style={{ width: `${(100 * each.p50_s) / longest}%` }} />
                </div>
              )}
            </Table.Td>
            <Table.Td ta="right">{duration(each.p50_s, i18n.language)}</Table.Td>
            <Table.Td ta="right">{duration(each.p95_s, i18n.language)}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
