/** Past studies computed again by one version, in the shadow: ask, watch, cancel. */
import {
  Alert,
  Badge,
  Button,
  Group,
  NumberInput,
  Progress,
  SimpleGrid,
  Text,
  TextInput,
} from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { api } from '../../../shared/api';
import type { Rerun } from '../../../shared/facts';
import { instant } from '../../../shared/format';

export function Reruns({ model, version }: { model: string; version: string }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const address = `/models/${model}/${version}`;
  const [filter, setFilter] = useState({ modality: '', date_from: '', date_to: '', limit: 200 });
  const answer = useQuery({
    queryKey: ['reruns', model, version],
    queryFn: () => api.get<{ reruns: Rerun[] }>(`${address}/reruns`),
    refetchInterval: 3000,
  });
  const again = () => client.invalidateQueries({ queryKey: ['reruns', model, version] });
  const start = useMutation({
    mutationFn: () => api.post(`${address}/rerun`, { filter, lane: 'shadow' }),
    onSuccess: again,
  });
  const cancel = useMutation({
    mutationFn: (id: number) => api.post(`${address}/reruns/${id}/cancel`),
    onSettled: again,
  });
  const failure = start.error ?? cancel.error ?? answer.error;
  return (
    <>
      <Text size="sm" c="dimmed" mb="xs">
        {t('engine.difference.rerun_what')}
      </Text>
      <SimpleGrid cols={{ base: 2, sm: 4 }} spacing="xs">
        <TextInput
          size="xs"
          label={t('engine.difference.modality')}
          value={filter.modality}
          onChange={(event) => setFilter({ ...filter, modality: event.currentTarget.value })}
        />
        {(['date_from', 'date_to'] as const).map((field) => (
          <TextInput
            key={field}
            size="xs"
            type="date"
            label={t(`engine.difference.${field === 'date_from' ? 'from_date' : 'to_date'}`)}
            value={filter[field]}
            onChange={(event) => setFilter({ ...filter, [field]: event.currentTarget.value })}
          />
        ))}
        <NumberInput
          size="xs"
          min={1}
          label={t('engine.difference.limit')}
          value={filter.limit}
          onChange={(value) => typeof value === 'number' && setFilter({ ...filter, limit: value })}
        />
      </SimpleGrid>
      <Button size="xs" mt="xs" loading={start.isPending} onClick={() => start.mutate()}>
        {t('engine.difference.start')} {version}
      </Button>
      {failure && (
        <Alert color="red" mt="xs" role="alert">
          {failure.message}
        </Alert>
      )}
      {answer.data?.reruns.length === 0 && (
        <Text size="sm" c="dimmed" mt="xs">
          {t('engine.difference.none')}
        </Text>
      )}
      {answer.data?.reruns.map((each) => (
        <One key={each.id} rerun={each} onCancel={() => cancel.mutate(each.id)} />
      ))}
    </>
  );
}

function One({ rerun, onCancel }: { rerun: Rerun; onCancel: () => void }) {
  const { t } = useTranslation();
  const { jobs } = rerun;
  const ended = jobs.done + jobs.refused + jobs.failed + jobs.cancelled + jobs.same;
  const all = ended + jobs.waiting + jobs.running;
  return (
    <div className="en-output">
      <Group justify="space-between" gap="xs">
        <Group gap={6}>
          <Badge size="sm" variant="light" color={rerun.state === 'running' ? 'teal' : 'gray'}>
            {t(`engine.difference.state.${rerun.state}`)}
          </Badge>
          <Text size="sm">
            {instant(rerun.at)} · {rerun.by}
          </Text>
        </Group>
        {rerun.state === 'running' && (
          <Button size="compact-xs" variant="subtle" color="gray" onClick={onCancel}>
            {t('engine.difference.cancel')}
          </Button>
        )}
      </Group>
      {rerun.state === 'running' && (
        <Progress
          value={all ? (100 * ended) / all : 0}
          size="sm"
          my={4}
          aria-label={`${ended} / ${all}`}
        />
      )}
      <Text size="xs" c="dimmed">
        {t('engine.difference.counts', { ...jobs, waiting: jobs.waiting + jobs.running })}
      </Text>
    </div>
  );
}
