/** Choose a file, watch it go, or go on with what was begun. */
import { Alert, Button, FileButton, Group, Progress, Text } from '@mantine/core';
import { IconUpload } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { api } from '../../../shared/api';
import { instant } from '../../../shared/format';
import type { Draft } from '../../../shared/models';
import { Section } from '../parts/Section';

export function Upload({ onDraft }: { onDraft: (id: string) => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [sent, setSent] = useState(0);
  const drafts = useQuery({
    queryKey: ['drafts'],
    queryFn: () => api.get<{ drafts: Draft[] }>('/models/drafts'),
  });
  const send = useMutation({
    mutationFn: (file: File) =>
      api.upload<Draft>(
        'POST',
        `/models/drafts?name=${encodeURIComponent(file.name)}`,
        file,
        setSent,
      ),
    onSuccess: (draft) => {
      client.setQueryData(['draft', draft.id], draft);
      onDraft(draft.id);
    },
  });
  const drop = useMutation({
    mutationFn: (id: string) => api.delete(`/models/drafts/${id}`),
    onSettled: () => client.invalidateQueries({ queryKey: ['drafts'] }),
  });
  const take = (file: File | null) => {
    if (!file) return;
    setSent(0);
    send.mutate(file);
  };
  return (
    <div className="en-stack">
      <section
        className="en-card en-drop"
        aria-label={t('engine.wizard.choose')}
        onDragOver={(event) => event.preventDefault()}
        onDrop={(event) => {
          event.preventDefault();
          take(event.dataTransfer.files[0] ?? null);
        }}
      >
        <Text fw={600}>{t('engine.wizard.drop')}</Text>
        <Text size="sm" c="dimmed" mb="sm">
          {t('engine.wizard.kinds')}
        </Text>
        <FileButton onChange={take} accept=".onnx,.pt,.ts,.pth,.zip">
          {(button) => (
            <Button {...button} loading={send.isPending} leftSection={<IconUpload size={16} />}>
              {t('engine.wizard.choose')}
            </Button>
          )}
        </FileButton>
        {send.isPending && (
          <div className="en-sending">
            <Progress value={100 * sent} aria-label={t('engine.wizard.sending')} />
            <Text size="sm" mt={4}>
              {sent < 1
                ? `${t('engine.wizard.sending')} ${Math.round(100 * sent)} %`
                : t('engine.wizard.reading')}
            </Text>
          </div>
        )}
        {send.isError && (
          <Alert color="red" mt="sm" role="alert" className="en-lines">
            {send.error.message}
          </Alert>
        )}
      </section>
      {(drafts.data?.drafts.length ?? 0) > 0 && (
        <Section title={t('engine.wizard.begun')}>
          {drafts.data?.drafts.map((each) => (
            <Group key={each.id} justify="space-between" className="en-output">
              <div>
                <Text size="sm" fw={600}>
                  {each.name}
                </Text>
                <Text size="xs" c="dimmed">
                  {[each.runner, each.created_by, instant(each.created_at)].join(' · ')}
                </Text>
              </div>
              <Group gap="xs">
                <Button size="xs" variant="light" onClick={() => onDraft(each.id)}>
                  {t('engine.wizard.go_on')}
                </Button>
                <Button
                  size="xs"
                  variant="subtle"
                  color="gray"
                  onClick={() => drop.mutate(each.id)}
                >
                  {t('engine.wizard.drop_draft')}
                </Button>
              </Group>
            </Group>
          ))}
        </Section>
      )}
    </div>
  );
}
