/** Small words with a colour that never carries the meaning alone. */
import { Badge, Group, Progress, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';

import type { Lane } from '../../../shared/engine';
import type { AIState, JobState, StudyItem } from '../../../shared/types';
import { useProgress } from '../live';

const AI_COLOUR: Record<AIState, string> = {
  none: 'gray',
  waiting: 'gray',
  running: 'teal',
  ready: 'yellow',
  reviewed: 'green',
  refused: 'gray',
  failed: 'red',
};

const JOB_COLOUR: Record<JobState, string> = {
  waiting: 'gray',
  running: 'teal',
  done: 'green',
  refused: 'gray',
  failed: 'red',
  superseded: 'gray',
  cancelled: 'gray',
};

export function Urgent() {
  const { t } = useTranslation();
  return (
    <Badge color="red" variant="filled" size="sm">
      {t('portal.urgent')}
    </Badge>
  );
}

export function Unverified() {
  const { t } = useTranslation();
  return (
    <Badge color="yellow" variant="light" size="sm" className="en-unverified">
      {t('portal.unverified')}
    </Badge>
  );
}

/** Says that a result is not for everybody; nothing for what is active. */
export function LaneBadge({ lane }: { lane: Lane | null | undefined }) {
  const { t } = useTranslation();
  if (lane !== 'shadow' && lane !== 'pilot') return null;
  return (
    <Badge color={lane === 'shadow' ? 'grape' : 'orange'} variant="filled" size="sm">
      {t(`engine.lane.${lane}`)}
    </Badge>
  );
}

export function JobBadge({ state }: { state: JobState }) {
  const { t } = useTranslation();
  return (
    <Badge color={JOB_COLOUR[state]} variant="light" size="sm">
      {t(`portal.job.state.${state}`)}
    </Badge>
  );
}

export function AIBadge({ study }: { study: StudyItem }) {
  const { t } = useTranslation();
  const progress = useProgress(study.study_uid);
  const { ai } = study;
  if (ai.state === 'none') {
    return (
      <Text size="sm" c="dimmed">
        {t('portal.ai.state.none')}
      </Text>
    );
  }
  if (ai.state === 'running') {
    const fraction = Math.round((progress?.fraction ?? 0) * 100);
    return (
      <div className="en-running">
        <Group justify="space-between" gap={4} wrap="nowrap">
          <Text size="xs" c="teal" truncate>
            {progress?.step || t('portal.ai.state.running')}
          </Text>
          <Text size="xs" c="dimmed">
            {fraction} %
          </Text>
        </Group>
        <Progress value={fraction} size="xs" aria-label={t('portal.ai.state.running')} />
      </div>
    );
  }
  return (
    <Group gap={6} wrap="wrap">
      {ai.urgent && <Urgent />}
      <Badge
        color={AI_COLOUR[ai.state]}
        variant="light"
        size="sm"
        className={ai.state === 'ready' ? 'en-unverified' : ''}
      >
        {t(`portal.ai.state.${ai.state}`)}
      </Badge>
      {ai.findings > 0 && (
        <Text size="xs" c="dimmed">
          {t('portal.ai.decided', { done: ai.accepted + ai.rejected, all: ai.findings })}
        </Text>
      )}
    </Group>
  );
}
