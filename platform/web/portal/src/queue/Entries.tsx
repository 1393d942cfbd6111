/** Jobs of the queue as lines: whose study, which package, how long, and what can be done. */
import { ActionIcon, Badge, Group, Progress, Text, Tooltip } from '@mantine/core';
import { IconPlayerStop, IconRefresh } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';

import { api } from '../../../shared/api';
import type { QueueEntry } from '../../../shared/engine';
import { duration, personName } from '../../../shared/format';
import { JobBadge } from '../parts/Badges';

interface Properties {
  entries: QueueEntry[];
  mayManage: boolean;
  empty: string;
}

export function Entries({ entries, mayManage, empty }: Properties) {
  if (entries.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        {empty}
      </Text>
    );
  }
  return (
    <div>
      {entries.map((entry) => (
        <Line key={entry.id} entry={entry} mayManage={mayManage} />
      ))}
    </div>
  );
}

function Line({ entry, mayManage }: { entry: QueueEntry; mayManage: boolean }) {
  const { t, i18n } = useTranslation();
  const client = useQueryClient();
  const act = useMutation({
    mutationFn: (what: 'cancel' | 'retry') => api.post<QueueEntry>(`/jobs/${entry.id}/${what}`),
    onSettled: () => client.invalidateQueries({ queryKey: ['queue'] }),
  });
  const name = entry.study ? personName(entry.study.patient_name) : '';
  return (
    <div className="en-output">
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <div className="en-grow">
          <Group gap={6}>
            {entry.position !== null && (
              <Text size="sm" c="dimmed">
                {entry.position}.
              </Text>
            )}
            <Text
              component={Link}
              to={`/studies/${entry.study_uid}`}
              size="sm"
              fw={600}
              className="en-link"
            >
              {name || t('portal.no_name')}
            </Text>
            <Text size="sm">{entry.title}</Text>
            {entry.lane !== 'active' && (
              <Badge size="xs" color="grape" variant="light">
                {t(`engine.lane.${entry.lane}`)}
              </Badge>
            )}
            {entry.priority_name !== 'routine' && (
              <Badge
                size="xs"
                color={entry.priority_name === 'stat' ? 'red' : 'gray'}
                variant="light"
              >
                {entry.priority_title}
              </Badge>
            )}
          </Group>
          <Text size="xs" c="dimmed">
            {[
              entry.study?.description,
              entry.state === 'waiting'
                ? t('engine.queue.waits', { time: duration(entry.age_s, i18n.language) })
                : duration(entry.age_s, i18n.language),
              entry.held_by && t('engine.queue.held', { by: entry.held_by }),
              entry.attempts > 1 && t('portal.job.attempts', { attempts: entry.attempts }),
            ]
              .filter(Boolean)
              .join(' · ')}
          </Text>
          {entry.reason && <Text size="xs">{entry.reason}</Text>}
          {entry.state === 'running' && (
            <>
              <Progress value={100 * entry.fraction} size="xs" mt={4} aria-label={entry.step} />
              <Text size="xs" c="dimmed">
                {entry.step}
              </Text>
            </>
          )}
          {act.isError && (
            <Text size="xs" c="red" role="alert">
              {act.error.message}
            </Text>
          )}
        </div>
        <Group gap={4} wrap="nowrap">
          {entry.state !== 'waiting' && entry.state !== 'running' && (
            <JobBadge state={entry.state} />
          )}
          {mayManage && entry.cancellable && (
            <Action label={t('engine.queue.cancel')} onClick={() => act.mutate('cancel')}>
              <IconPlayerStop size={16} />
            </Action>
          )}
          {mayManage && entry.retryable && (
            <Action label={t('engine.queue.retry')} onClick={() => act.mutate('retry')}>
              <IconRefresh size={16} />
            </Action>
          )}
        </Group>
      </Group>
    </div>
  );
}

function Action(properties: { label: string; onClick: () => void; children: React.ReactNode }) {
  return (
    <Tooltip label={properties.label}>
      <ActionIcon
        variant="subtle"
        color="gray"
        aria-label={properties.label}
        onClick={properties.onClick}
      >
        {properties.children}
      </ActionIcon>
    </Tooltip>
  );
}
