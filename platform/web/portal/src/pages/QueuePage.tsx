/** What runs, what waits and why, what ended, and how fast. */
import { Group, SimpleGrid, Skeleton, Table, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';

import { api } from '../../../shared/api';
import type { Queue } from '../../../shared/engine';
import { decimal, duration } from '../../../shared/format';
import type { Session } from '../../../shared/types';
import { Failure } from '../parts/Failure';
import { Section } from '../parts/Section';
import { Entries } from '../queue/Entries';
import { Hours } from '../queue/Hours';
import { Stages } from '../queue/Stages';

export default function QueuePage({ session }: { session: Session }) {
  const { t, i18n } = useTranslation();
  const answer = useQuery({
    queryKey: ['queue'],
    queryFn: () => api.get<Queue>('/queue'),
    refetchInterval: 10_000,
  });
  const mayManage = session.permissions.includes('job:manage');
  const queue = answer.data;
  return (
    <>
      <Title order={1} size="h3" mb="md">
        {t('engine.queue.title')}
      </Title>
      {answer.isError && <Failure error={answer.error} onRetry={() => void answer.refetch()} />}
      {answer.isPending && <Skeleton h={260} />}
      {queue && (
        <>
          <SimpleGrid cols={{ base: 2, sm: 4 }} mb="md">
            <Figure label={t('engine.queue.running')} value={queue.counts.running} />
            <Figure
              label={t('engine.queue.waiting')}
              value={queue.counts.waiting}
              note={
                queue.counts.delayed > 0
                  ? t('engine.queue.delayed', { count: queue.counts.delayed })
                  : ''
              }
            />
            <Figure
              label={t('engine.queue.per_hour')}
              value={decimal(queue.rates.per_hour.toFixed(0), i18n.language)}
            />
            <Figure
              label={t('engine.queue.studies_per_hour')}
              value={decimal(queue.rates.studies_per_hour.toFixed(0), i18n.language)}
            />
          </SimpleGrid>
          <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md" mb="md">
            <Section title={t('engine.queue.running')}>
              <Entries
                entries={queue.running}
                mayManage={mayManage}
                empty={t('engine.queue.idle')}
              />
            </Section>
            <Section title={t('engine.queue.last_day')}>
              <Hours hours={queue.rates.hours} />
            </Section>
            <Section title={t('engine.queue.waiting')}>
              {queue.by_priority.length > 0 && <Priorities queue={queue} />}
              <Entries
                entries={queue.waiting}
                mayManage={mayManage}
                empty={t('engine.queue.none_wait')}
              />
            </Section>
            <Section title={t('engine.queue.times')}>
              <Stages durations={queue.durations} />
            </Section>
          </SimpleGrid>
          <Section title={t('engine.queue.ended')}>
            <Entries
              entries={queue.ended}
              mayManage={mayManage}
              empty={t('engine.queue.none_ended')}
            />
          </Section>
        </>
      )}
    </>
  );
}

function Figure({ label, value, note }: { label: string; value: number | string; note?: string }) {
  return (
    <div className="en-card en-section">
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      <Group gap={8} align="baseline">
        <Text fz={28} fw={650} lh={1.2}>
          {value}
        </Text>
        {note && (
          <Text size="xs" c="dimmed">
            {note}
          </Text>
        )}
      </Group>
    </div>
  );
}

function Priorities({ queue }: { queue: Queue }) {
  const { t, i18n } = useTranslation();
  return (
    <Table mb="sm" verticalSpacing={2}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{t('engine.queue.priority')}</Table.Th>
          <Table.Th ta="right">{t('engine.queue.running')}</Table.Th>
          <Table.Th ta="right">{t('engine.queue.waiting')}</Table.Th>
          <Table.Th ta="right">{t('engine.queue.oldest')}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {queue.by_priority.map((each) => (
          <Table.Tr key={each.name}>
            <Table.Td>{each.title}</Table.Td>
            <Table.Td ta="right">{each.running}</Table.Td>
            <Table.Td ta="right">{each.waiting}</Table.Td>
            <Table.Td ta="right">
              {each.waiting > 0 ? duration(each.oldest_s, i18n.language) : '–'}
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
