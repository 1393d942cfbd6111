/** The steps of a model's life: where it stands, and what may come next. */
import { Alert, Button, Group, Modal, TagsInput, Text, Textarea } from '@mantine/core';
import { IconArrowBackUp } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';

import { api } from '../../../shared/api';
import type { Facts, ModelState } from '../../../shared/facts';
import { NEXT, ROAD, needsReason } from '../models/lifecycle';

export function Lifecycle({ facts }: { facts: Facts }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [to, setTo] = useState<ModelState | 'rollback' | null>(null);
  const [reason, setReason] = useState('');
  const [readers, setReaders] = useState<string[]>([]);
  const move = useMutation({
    mutationFn: () =>
      to === 'rollback'
        ? api.post(`/models/${facts.id}/rollback`, { reason })
        : api.post(`/models/${facts.id}/${facts.version}/state`, {
            to,
            reason,
            ...(to === 'pilot' ? { pilot: { readers, sources: [] } } : {}),
          }),
    onSuccess: async () => {
      setTo(null);
      setReason('');
      await client.invalidateQueries();
    },
  });
  const state = facts.state as ModelState;
  const here = ROAD.indexOf(state);
  const hasReport = Boolean(facts.local_validation?.latest);
  const mustSay = to !== null && to !== 'rollback' && needsReason(to, hasReport);
  return (
    <div className="en-card en-section en-life">
      <ol className="en-road" aria-label={t('engine.life.road')}>
        {ROAD.map((step, n) => (
          <li
            key={step}
            data-state={n === here ? 'here' : n < here ? 'past' : 'ahead'}
            aria-current={n === here ? 'step' : undefined}
          >
            {t(`engine.state.${step}`)}
          </li>
        ))}
      </ol>
      <Text size="sm" c="dimmed" mb="sm">
        {t(`engine.life.what.${state}`)}
      </Text>
      <Group gap="xs">
        {(NEXT[state] ?? []).map((next) => (
          <Button
            key={next}
            size="xs"
            variant={next === 'retired' || ROAD.indexOf(next) < here ? 'light' : 'filled'}
            color={next === 'retired' ? 'gray' : 'teal'}
            onClick={() => setTo(next)}
          >
            {t(`engine.life.move.${next}`)}
          </Button>
        ))}
        {state === 'active' && (
          <Button
            size="xs"
            variant="light"
            color="orange"
            leftSection={<IconArrowBackUp size={14} />}
            onClick={() => setTo('rollback')}
          >
            {t('engine.life.rollback')}
          </Button>
        )}
        <Link to={`/models/${facts.id}/difference`} className="en-link en-small">
          {t('engine.difference.link')}
        </Link>
      </Group>
      <Modal
        opened={to !== null}
        onClose={() => setTo(null)}
        title={
          to === 'rollback' ? t('engine.life.rollback') : to ? t(`engine.life.move.${to}`) : ''
        }
      >
        {to && to !== 'rollback' && (
          <Text size="sm" mb="sm">
            {t(`engine.life.what.${to}`)}
          </Text>
        )}
        {to === 'pilot' && (
          <TagsInput
            mb="sm"
            label={t('engine.life.readers')}
            description={t('engine.life.readers_help')}
            value={readers}
            onChange={setReaders}
          />
        )}
        <Textarea
          autosize
          minRows={2}
          label={t(mustSay ? 'engine.life.reason_needed' : 'engine.life.reason')}
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
        />
        {move.isError && (
          <Alert color="red" mt="sm" role="alert">
            {move.error.message}
          </Alert>
        )}
        <Group justify="flex-end" mt="md">
          <Button variant="subtle" color="gray" onClick={() => setTo(null)}>
            {t('engine.life.not_now')}
          </Button>
          <Button
            loading={move.isPending}
            disabled={mustSay && reason.trim().length < 10}
            onClick={() => move.mutate()}
          >
            {t('engine.life.do')}
          </Button>
        </Group>
      </Modal>
    </div>
  );
}
