/** The way of the study through the house, with times and reasons. */
import { Anchor, Group, Skeleton, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';

import { api } from '../../../shared/api';
import { duration, instant } from '../../../shared/format';
import type { TimelineEvent } from '../../../shared/types';
import { Failure } from './Failure';
import { Section } from './Section';

export function Timeline({ studyUID }: { studyUID: string }) {
  const { t } = useTranslation();
  const answer = useQuery({
    queryKey: ['timeline', studyUID],
    queryFn: () => api.get<{ events: TimelineEvent[] }>(`/studies/${studyUID}/timeline`),
  });
  return (
    <Section title={t('portal.timeline.title')}>
      {answer.isPending && <Skeleton h={160} />}
      {answer.isError && <Failure error={answer.error} onRetry={() => void answer.refetch()} />}
      {answer.data?.events.map((event, index) => (
        <Step key={`${event.at}/${index}`} event={event} />
      ))}
    </Section>
  );
}

function Step({ event }: { event: TimelineEvent }) {
  const { t, i18n } = useTranslation();
  return (
    <div className="en-step" data-state={event.state}>
      <Group justify="space-between" gap={6} wrap="nowrap" align="baseline">
        <Text size="sm" fw={600}>
          {t(`portal.step.${event.state === 'refused' ? 'refused' : event.step}`, {
            defaultValue: event.step,
          })}
          {event.package && (
            <Text span size="xs" c="dimmed" fw={400}>
              {' '}
              {event.package}
            </Text>
          )}
        </Text>
        <Text size="xs" c="dimmed" style={{ whiteSpace: 'nowrap' }}>
          {event.duration_s !== null && duration(event.duration_s, i18n.language)}
        </Text>
      </Group>
      <Text size="xs" c="dimmed">
        {instant(event.at)}
      </Text>
      {event.text && <Text size="sm">{event.text}</Text>}
      {event.links.length > 0 && (
        <Group gap="sm">
          {event.links.map((link) => (
            <Anchor key={link.href} href={link.href} size="sm">
              {link.label}
            </Anchor>
          ))}
        </Group>
      )}
    </div>
  );
}
