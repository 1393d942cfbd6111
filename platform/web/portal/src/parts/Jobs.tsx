/** What each package did with the study: progress, result, or the reasons why not. */
import { Code, Group, Progress, Skeleton, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';

import { api } from '../../../shared/api';
import { groupRefusals } from '../../../shared/findings';
import { duration, instant } from '../../../shared/format';
import type { Job } from '../../../shared/types';
import { useProgress } from '../live';
import { JobBadge, LaneBadge } from './Badges';
import { Failure } from './Failure';
import { Section } from './Section';

export function Jobs({ studyUID }: { studyUID: string }) {
  const { t } = useTranslation();
  const answer = useQuery({
    queryKey: ['jobs', studyUID],
    queryFn: () => api.get<{ jobs: Job[] }>(`/studies/${studyUID}/jobs`),
  });
  return (
    <Section title={t('portal.job.title')}>
      {answer.isPending && <Skeleton h={60} />}
      {answer.isError && <Failure error={answer.error} onRetry={() => void answer.refetch()} />}
      {answer.data?.jobs.length === 0 && (
        <Text size="sm" c="dimmed">
          {t('portal.job.none')}
        </Text>
      )}
      <Stack gap="md">
        {answer.data?.jobs.map((job) => (
          <JobCard key={job.id} job={job} studyUID={studyUID} />
        ))}
      </Stack>
    </Section>
  );
}

function seconds(job: Job): number | null {
  if (!job.started_at || !job.finished_at) return null;
  return (Date.parse(job.finished_at) - Date.parse(job.started_at)) / 1000;
}

function JobCard({ job, studyUID }: { job: Job; studyUID: string }) {
  const { t, i18n } = useTranslation();
  const live = useProgress(studyUID);
  const progress = live?.job === job.id ? live : job;
  const took = seconds(job);
  return (
    <article aria-label={job.title}>
      <Group justify="space-between" gap="xs">
        <Group gap="xs">
          <Text fw={600}>{job.title}</Text>
          <Text size="xs" c="dimmed">
            {job.package} {job.version}
          </Text>
          <LaneBadge lane={job.lane} />
          <JobBadge state={job.state} />
        </Group>
        <Text size="xs" c="dimmed">
          {instant(job.started_at ?? job.created_at)}
          {took !== null && ` · ${duration(took, i18n.language)}`}
          {job.attempts > 1 && ` · ${t('portal.job.attempts', { attempts: job.attempts })}`}
        </Text>
      </Group>
      {job.state === 'running' && (
        <>
          <Progress value={progress.fraction * 100} mt={8} aria-label={progress.step} />
          <Text size="xs" c="dimmed" mt={4}>
            {progress.step} {Math.round(progress.fraction * 100)} %
          </Text>
        </>
      )}
      {job.reason && (
        <Text size="sm" mt={4}>
          {job.reason}
        </Text>
      )}
      <Stack gap={6} mt={job.refusals.length > 0 ? 8 : 0}>
        {groupRefusals(job.refusals).map((group) => (
          <div key={group.key} className="en-refusal">
            <Text size="sm">{group.text}</Text>
            <Text size="xs" c="dimmed">
              {group.subjects.join(', ')} <Code>{group.code}</Code>
            </Text>
          </div>
        ))}
      </Stack>
    </article>
  );
}
