/** The light page for phones: server-rendered frames and the findings. */
import {
  Anchor,
  Group,
  Select,
  Skeleton,
  Text,
  Title,
  useComputedColorScheme,
} from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useParams } from 'react-router';

import { api } from '../../../shared/api';
import { FindingCard, Refusals, useFindings, useReview } from '../../../shared/findings';
import '../../../shared/findings/findings.css';
import { date, personName } from '../../../shared/format';
import type { FindingItem, Session, Study } from '../../../shared/types';
import { Failure } from '../parts/Failure';
import { ImageStack } from '../parts/ImageStack';
import { IMAGE_MODALITIES } from '../parts/instances';

const NONE: FindingItem[] = [];

export default function ImagesPage({ session }: { session: Session }) {
  const { t } = useTranslation();
  const { studyUID = '' } = useParams();
  const scheme = useComputedColorScheme('light');
  const study = useQuery({
    queryKey: ['study', studyUID],
    queryFn: () => api.get<Study>(`/studies/${studyUID}`),
  });
  const answer = useFindings(studyUID);
  const findings = answer.data?.findings ?? NONE;
  const review = useReview(studyUID, findings);
  const [chosen, setChosen] = useState<string | null>(null);
  const [shown, setShown] = useState<{ uid: string; times: number } | null>(null);
  const mayDecide = session.permissions.includes('finding:review');

  if (study.isError) return <Failure error={study.error} onRetry={() => void study.refetch()} />;
  if (study.isPending) return <Skeleton h={400} />;
  const series = study.data.series.filter((s) => IMAGE_MODALITIES.has(s.modality));
  const seriesUID = chosen ?? findings[0]?.series_uid ?? series[0]?.series_uid;
  const show = (finding: FindingItem) => {
    review.select(finding);
    if (!finding.key_image) return;
    setChosen(finding.key_image.series_uid);
    setShown({ uid: finding.key_image.instance_uid, times: (shown?.times ?? 0) + 1 });
  };
  return (
    <>
      <Group justify="space-between" gap="xs" mb="xs">
        <div>
          <Title order={1} size="h5">
            {personName(study.data.patient_name) || t('portal.no_name')}
          </Title>
          <Text size="xs" c="dimmed">
            {study.data.description} · {date(study.data.study_date)}
          </Text>
        </div>
        <Anchor component={Link} to={`/studies/${studyUID}`} size="sm">
          {t('portal.images.back')}
        </Anchor>
      </Group>
      <div className="en-images">
        <div>
          {series.length > 1 && (
            <Select
              mb="xs"
              allowDeselect={false}
              aria-label={t('portal.study.series')}
              value={seriesUID ?? null}
              data={series.map((s) => ({
                value: s.series_uid,
                label: `${s.number ?? ''} ${s.description || s.modality} (${s.instance_count})`,
              }))}
              onChange={setChosen}
            />
          )}
          {seriesUID ? (
            <ImageStack
              key={seriesUID}
              studyUID={studyUID}
              seriesUID={seriesUID}
              modality={series.find((s) => s.series_uid === seriesUID)?.modality ?? ''}
              jump={shown}
            />
          ) : (
            <Text>{t('portal.images.none')}</Text>
          )}
        </div>
        <section className="ef" data-dark={scheme === 'dark'} aria-label={t('viewer.panel')}>
          {answer.isError && <Failure error={answer.error} onRetry={() => void answer.refetch()} />}
          {answer.data && findings.length === 0 && (
            <Text size="sm" c="dimmed">
              {t(answer.data.refusals.length > 0 ? 'viewer.only_refusals' : 'viewer.no_findings')}
            </Text>
          )}
          {findings.map((finding) => (
            <FindingCard
              key={finding.id}
              finding={finding}
              active={review.active?.id === finding.id}
              mode={review.active?.id === finding.id ? review.mode : 'read'}
              busy={review.busy}
              error={review.errorOf(finding)}
              mayDecide={mayDecide}
              onSelect={() => show(finding)}
              onMode={(mode) => review.setMode(finding, mode)}
              onDecide={(decision) => review.send(finding, decision)}
            />
          ))}
          <Refusals refusals={answer.data?.refusals ?? []} />
        </section>
      </div>
    </>
  );
}
