/** A model's versions over past studies: re-runs in the shadow, and what changed. */
import { Group, Select, Skeleton, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useParams } from 'react-router';

import { api } from '../../../shared/api';
import type { Difference, Facts } from '../../../shared/facts';
import { Compared } from '../difference/Compared';
import { Reruns } from '../difference/Reruns';
import { Failure } from '../parts/Failure';
import { Section } from '../parts/Section';

export default function DifferencePage() {
  const { t } = useTranslation();
  const { name = '' } = useParams();
  const facts = useQuery({
    queryKey: ['facts', 'models', name, ''],
    queryFn: () => api.get<Facts>(`/models/${name}/facts`),
  });
  if (facts.isError) {
    return <Failure error={facts.error} onRetry={() => void facts.refetch()} />;
  }
  if (!facts.data) return <Skeleton h={400} />;
  return (
    <>
      <Title order={1} size="h3">
        {t('engine.difference.title')}
      </Title>
      <Text size="sm" mb="md">
        <Link to={`/models/${name}`} className="en-link">
          {facts.data.title}
        </Link>
      </Text>
      <Versions name={name} versions={facts.data.versions.map((each) => each.version)} />
    </>
  );
}

function Versions({ name, versions }: { name: string; versions: string[] }) {
  const { t } = useTranslation();
  const [from, setFrom] = useState(versions.at(-2) ?? '');
  const [to, setTo] = useState(versions.at(-1) ?? '');
  const two = from !== '' && to !== '' && from !== to;
  const answer = useQuery({
    queryKey: ['difference', name, from, to],
    queryFn: () => api.get<Difference>(`/models/${name}/difference?from=${from}&to=${to}`),
    enabled: two,
    refetchInterval: 10_000,
  });
  const pick = (label: string, value: string, choose: (value: string) => void) => (
    <Select
      w={140}
      size="xs"
      allowDeselect={false}
      label={label}
      value={value || null}
      data={versions}
      onChange={(chosen) => chosen && choose(chosen)}
    />
  );
  return (
    <div className="en-stack">
      <Section title={t('engine.difference.rerun')}>
        {versions.length > 1 && pick(t('engine.facts.version'), to, setTo)}
        <Reruns key={to} model={name} version={to} />
      </Section>
      <Section title={t('engine.difference.studies')}>
        {versions.length < 2 ? (
          <Text size="sm" c="dimmed">
            {t('engine.difference.one_version')}
          </Text>
        ) : (
          <Group mb="sm">
            {pick(t('engine.difference.from'), from, setFrom)}
            {pick(t('engine.difference.to'), to, setTo)}
          </Group>
        )}
        {versions.length > 1 && !two && <Text size="sm">{t('engine.difference.pick')}</Text>}
        {answer.isError && <Failure error={answer.error} onRetry={() => void answer.refetch()} />}
        {answer.data && two && <Compared found={answer.data} />}
      </Section>
    </div>
  );
}
