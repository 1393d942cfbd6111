/** The site's rules: which package runs on what, when, how urgently; tried before they count. */
import { Alert, Button, Group, Skeleton, Stack, Text, Title } from '@mantine/core';
import { IconArrowBackUp, IconPlus } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';

import { api } from '../../../shared/api';
import type { Rule, RuleList, RuleOptions } from '../../../shared/engine';
import { instant } from '../../../shared/format';
import type { Session } from '../../../shared/types';
import { Failure } from '../parts/Failure';
import { RuleCard } from '../rules/RuleCard';
import { RuleTester } from '../rules/RuleTester';
import { moved, newRule, replaced, without } from '../rules/rules';

export default function RulesPage({ session }: { session: Session }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const answer = useQuery({ queryKey: ['rules'], queryFn: () => api.get<RuleList>('/rules') });
  const options = useQuery({
    queryKey: ['rules', 'options'],
    queryFn: () => api.get<RuleOptions>('/rules/options'),
  });
  const mayManage = session.permissions.includes('package:manage');
  const [draft, setDraft] = useState<Rule[] | null>(null);
  const [open, setOpen] = useState(-1);
  const save = useMutation({
    mutationFn: (rules: Rule[]) =>
      api.put<RuleList>('/rules', { revision: answer.data?.revision ?? 0, rules }),
    onSuccess: (list) => {
      client.setQueryData(['rules'], list);
      setDraft(null);
      setOpen(-1);
    },
  });
  const undo = useMutation({
    mutationFn: () => api.post<RuleList>('/rules/undo', { revision: answer.data?.revision ?? 0 }),
    onSuccess: (list) => client.setQueryData(['rules'], list),
  });
  useEffect(() => {
    if (draft === null) return;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener('beforeunload', warn);
    return () => window.removeEventListener('beforeunload', warn);
  }, [draft]);

  if (answer.isError) {
    return <Failure error={answer.error} onRetry={() => void answer.refetch()} />;
  }
  const rules = draft ?? answer.data?.rules ?? [];
  return (
    <>
      <Group justify="space-between" mb={4} align="baseline">
        <Title order={1} size="h3">
          {t('engine.rules.title')}
        </Title>
        {answer.data && (
          <Text size="xs" c="dimmed">
            {t('engine.rules.revision', { revision: answer.data.revision })}
            {answer.data.changed_at &&
              ` · ${answer.data.changed_by} ${instant(answer.data.changed_at)}`}
            {` · ${answer.data.time_zone}`}
          </Text>
        )}
      </Group>
      <Text size="sm" c="dimmed" mb="md">
        {t('engine.rules.what')}
      </Text>
      {answer.isPending && <Skeleton h={160} />}
      <Stack gap="sm" mb="md">
        {rules.map((rule, index) => (
          <RuleCard
            key={index}
            rule={rule}
            number={index + 1}
            open={open === index}
            options={options.data}
            mayManage={mayManage}
            isLast={index === rules.length - 1}
            onOpen={() => setOpen(open === index ? -1 : index)}
            onChange={(changed) => setDraft(replaced(rules, index, changed))}
            onMove={(by) => {
              setDraft(moved(rules, index, by));
              setOpen(open === index ? index + by : open);
            }}
            onRemove={() => {
              setDraft(without(rules, index));
              setOpen(-1);
            }}
          />
        ))}
        {answer.data && rules.length === 0 && (
          <div className="en-card en-section">
            <Text size="sm">{t('engine.rules.none')}</Text>
          </div>
        )}
      </Stack>
      {save.isError && (
        <Alert color="red" mb="sm" role="alert">
          {save.error.message}
        </Alert>
      )}
      {undo.isError && (
        <Alert color="red" mb="sm" role="alert">
          {undo.error.message}
        </Alert>
      )}
      {mayManage && (
        <Group mb="lg">
          <Button
            variant="light"
            leftSection={<IconPlus size={16} />}
            onClick={() => {
              setDraft([...rules, newRule(t('engine.rules.new_name'))]);
              setOpen(rules.length);
            }}
          >
            {t('engine.rules.add')}
          </Button>
          <Button disabled={!draft} loading={save.isPending} onClick={() => save.mutate(rules)}>
            {t('engine.rules.save')}
          </Button>
          {draft ? (
            <Button variant="subtle" color="gray" onClick={() => setDraft(null)}>
              {t('engine.rules.discard')}
            </Button>
          ) : (
            <Button
              variant="subtle"
              color="gray"
              disabled={(answer.data?.revision ?? 0) < 2}
              loading={undo.isPending}
              leftSection={<IconArrowBackUp size={16} />}
              onClick={() => undo.mutate()}
            >
              {t('engine.rules.undo')}
            </Button>
          )}
        </Group>
      )}
      {mayManage && <RuleTester proposed={draft} />}
    </>
  );
}
