import { Badge, Group, Text } from '@mantine/core';
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';

import { date, personName, time } from '../../../shared/format';
import type { StudyItem } from '../../../shared/types';
import { AIBadge } from './Badges';
import { sexAndAge } from './patient';

export function StudyRow({ study, selected }: { study: StudyItem; selected: boolean }) {
  const { t } = useTranslation();
  const row = useRef<HTMLAnchorElement>(null);
  useEffect(() => {
    if (selected) row.current?.scrollIntoView({ block: 'nearest' });
  }, [selected]);
  return (
    <Link
      ref={row}
      to={`/studies/${study.study_uid}`}
      className="en-row"
      data-selected={selected}
      data-urgent={study.ai.urgent}
      data-study={study.study_uid}
    >
      <div>
        <Text fw={600} lineClamp={1}>
          {personName(study.patient_name) || t('portal.no_name')}
        </Text>
        <Text size="xs" c="dimmed">
          {[study.patient_id, sexAndAge(study, t)].filter(Boolean).join(' · ')}
        </Text>
      </div>
      <div className="en-wide">
        <Text size="sm" lineClamp={1}>
          {study.description || t('portal.no_description')}
        </Text>
        <Modalities study={study} />
      </div>
      <div>
        <Text size="sm">{date(study.study_date)}</Text>
        <Text size="xs" c="dimmed">
          {time(study.study_time)}
        </Text>
      </div>
      <Text size="sm" className="en-wide" truncate>
        {study.accession_number}
      </Text>
      <div className="en-span">
        <Text size="sm" hiddenFrom="md" lineClamp={1} mb={2}>
          {study.description}
        </Text>
        <AIBadge study={study} />
      </div>
      <Text size="xs" c="dimmed" ta="end" className="en-wide">
        {t('portal.worklist.counts', { series: study.series_count, images: study.instance_count })}
      </Text>
    </Link>
  );
}

function Modalities({ study }: { study: StudyItem }) {
  return (
    <Group gap={4}>
      {study.modalities.map((modality) => (
        <Badge key={modality} size="xs" variant="outline" color="gray">
          {modality}
        </Badge>
      ))}
    </Group>
  );
}
