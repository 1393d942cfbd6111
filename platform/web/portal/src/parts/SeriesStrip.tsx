import { Badge, Text } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import type { SeriesItem, Study } from '../../../shared/types';
import { Unverified } from './Badges';
import { IMAGE_MODALITIES } from './instances';

export function SeriesStrip({ study }: { study: Study }) {
  const { t } = useTranslation();
  return (
    <section className="en-series" aria-label={t('portal.study.series')} tabIndex={0}>
      {study.series.map((series) => (
        <div key={series.series_uid} className="en-thumb">
          <Thumbnail series={series} />
          <Text size="xs" fw={600} lineClamp={2} mt={4}>
            {series.number !== null && `${series.number} · `}
            {series.description || series.modality}
          </Text>
          <Text size="xs" c="dimmed">
            <Badge size="xs" variant="outline" color="gray">
              {series.modality}
            </Badge>{' '}
            {t('portal.study.images', { images: series.instance_count })}
          </Text>
          {series.package && <Unverified />}
        </div>
      ))}
    </section>
  );
}

function Thumbnail({ series }: { series: SeriesItem }) {
  const [broken, setBroken] = useState(!series.thumbnail || !IMAGE_MODALITIES.has(series.modality));
  if (broken) return <div className="en-thumb-image">{series.modality}</div>;
  return (
    <img
      className="en-thumb-image"
      src={series.thumbnail}
      alt=""
      loading="lazy"
      onError={() => setBroken(true)}
    />
  );
}
