import { Button, Group, Skeleton, Stack, Text, Title } from '@mantine/core';
import { IconDeviceMobile, IconEye } from '@tabler/icons-react';
import { useMediaQuery } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link, useParams } from 'react-router';

import { api } from '../../../shared/api';
import { date, personName, time } from '../../../shared/format';
import type { Study } from '../../../shared/types';
import { Urgent } from '../parts/Badges';
import { Failure } from '../parts/Failure';
import { FindingsSummary } from '../parts/FindingsSummary';
import { Jobs } from '../parts/Jobs';
import { SeriesStrip } from '../parts/SeriesStrip';
import { Timeline } from '../parts/Timeline';
import { sexAndAge } from '../parts/patient';

export default function StudyPage() {
  const { t } = useTranslation();
  const { studyUID = '' } = useParams();
  const small = useMediaQuery('(max-width: 48em)');
  const answer = useQuery({
    queryKey: ['study', studyUID],
    queryFn: () => api.get<Study>(`/studies/${studyUID}`),
  });
  if (answer.isError) {
    return <Failure error={answer.error} onRetry={() => void answer.refetch()} />;
  }
  if (answer.isPending) {
    return (
      <Stack aria-label={t('portal.loading')}>
        <Skeleton h={64} />
        <Skeleton h={180} />
        <Skeleton h={260} />
      </Stack>
    );
  }
  const study = answer.data;
  const facts = [
    study.patient_id,
    sexAndAge(study, t),
    date(study.patient_birth_date),
    study.accession_number && `${t('portal.column.accession')} ${study.accession_number}`,
  ];
  return (
    <>
      <Group justify="space-between" mb="md" align="flex-start">
        <div>
          <Group gap="sm">
            <Title order={1} size="h3">
              {personName(study.patient_name) || t('portal.no_name')}
            </Title>
            {study.ai.urgent && <Urgent />}
          </Group>
          <Text size="sm" c="dimmed">
            {facts.filter(Boolean).join(' · ')}
          </Text>
          <Text size="sm" mt={4}>
            {study.description || t('portal.no_description')} · {date(study.study_date)}{' '}
            {time(study.study_time)}
          </Text>
        </div>
        <Group gap="xs">
          <Button
            component={Link}
            to={`/studies/${studyUID}/images`}
            variant={small ? 'filled' : 'default'}
            leftSection={<IconDeviceMobile size={16} />}
          >
            {t('portal.study.light')}
          </Button>
          <Button
            component="a"
            href={`/viewer?StudyInstanceUIDs=${studyUID}`}
            variant={small ? 'default' : 'filled'}
            leftSection={<IconEye size={16} />}
          >
            {t('portal.study.open')}
          </Button>
        </Group>
      </Group>
      <SeriesStrip study={study} />
      <div className="en-study">
        <Stack>
          <FindingsSummary study={study} />
          <Jobs studyUID={studyUID} />
        </Stack>
        <Timeline studyUID={studyUID} />
      </div>
    </>
  );
}
