/** What the file could not answer, grouped; answers are kept on the server as they are given. */
import { Alert, Badge, Group, SimpleGrid, Switch, Text } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';

import { api } from '../../../shared/api';
import type { Draft } from '../../../shared/models';
import { Section } from '../parts/Section';
import { Field } from './Field';
import { Finish } from './Finish';
import { grouped } from './groups';

const SAVE_AFTER_MS = 500;

export function Questions({ draft }: { draft: Draft }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [given, setGiven] = useState<Record<string, unknown>>(draft.answers);
  const [all, setAll] = useState(false);
  // A question stays where it is once it was asked, answered or not.
  const asked = useRef(new Set(draft.open));
  for (const id of draft.open) asked.current.add(id);
  for (const id of Object.keys(draft.answers)) asked.current.add(id);
  const save = useMutation({
    mutationFn: (answers: Record<string, unknown>) =>
      api.put<Draft>(`/models/drafts/${draft.id}`, { answers }),
    onSuccess: (data) => client.setQueryData(['draft', draft.id], data),
  });
  const { mutate } = save;
  const dirty = useRef(false);
  useEffect(() => {
    if (!dirty.current) return undefined;
    const timer = setTimeout(() => {
      dirty.current = false;
      mutate(given);
    }, SAVE_AFTER_MS);
    return () => clearTimeout(timer);
  }, [given, mutate]);
  const change = (id: string, value: unknown) => {
    dirty.current = true;
    setGiven((before) => ({ ...before, [id]: value }));
  };
  const kind = draft.questions.find((question) => question.id === 'kind')?.value;
  const groups = grouped(draft.questions, (id) => all || asked.current.has(id));
  return (
    <>
      <Group justify="space-between">
        <Text size="sm">
          {draft.open.length === 0
            ? t('engine.wizard.all_answered')
            : t('engine.wizard.still_open', { count: draft.open.length })}
        </Text>
        <Switch
          label={t('engine.wizard.show_all')}
          checked={all}
          onChange={(event) => setAll(event.currentTarget.checked)}
        />
      </Group>
      {(save.isError || draft.problem) && (
        <Alert color="red" role="alert" className="en-lines">
          {save.error?.message ?? draft.problem}
        </Alert>
      )}
      {groups.map((group) => (
        <Section key={group.id} title={t(`engine.wizard.group.${group.id}`)}>
          <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
            {group.questions.map((question) => (
              <div
                key={question.id}
                className={question.kind === 'labels' ? 'en-whole' : ''}
                data-question={question.id}
              >
                <Field
                  question={question}
                  value={given[question.id] ?? question.value}
                  scored={kind === 'probability' || kind === 'classification'}
                  onChange={(value) => change(question.id, value)}
                />
                {draft.open.includes(question.id) && (
                  <Badge size="xs" color="orange" variant="light" mt={4}>
                    {t('engine.wizard.open')}
                  </Badge>
                )}
              </div>
            ))}
          </SimpleGrid>
        </Section>
      ))}
      <Finish draft={draft} saving={save.isPending || dirty.current} />
    </>
  );
}
