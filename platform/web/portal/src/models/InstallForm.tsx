/** The licence in full, what code would run, and the person's agreement to both. */
import { Alert, Button, Checkbox, Group, Loader, Skeleton, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { api } from '../../../shared/api';
import type { ModelItem } from '../../../shared/models';

interface Properties {
  model: string;
  version: string;
  onClose: () => void;
}

export function InstallForm({ model, version, onClose }: Properties) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [accepted, setAccepted] = useState(false);
  const [code, setCode] = useState(false);
  const answer = useQuery({
    queryKey: ['model', model],
    queryFn: () => api.get<ModelItem>(`/models/${model}`),
  });
  const install = useMutation({
    mutationFn: () =>
      api.post(`/models/${model}/${version}/install`, {
        licence_accepted: accepted,
        code_accepted: code,
      }),
    onSuccess: async () => {
      await client.invalidateQueries();
      onClose();
    },
  });
  const found = answer.data?.versions.find((each) => each.version === version);
  if (answer.isError) return <Alert color="red">{answer.error.message}</Alert>;
  if (!found) return <Skeleton h={120} />;
  const runs = found.code ?? [];
  return (
    <div className="en-form">
      <Text size="sm" fw={600}>
        {t('engine.package.licence')}
      </Text>
      <pre className="en-licence">{found.licence_text ?? found.licence}</pre>
      <Checkbox
        label={t('engine.models.accept_licence')}
        checked={accepted}
        onChange={(event) => setAccepted(event.currentTarget.checked)}
      />
      {runs.length > 0 && (
        <>
          <Text size="sm" mt="xs">
            {t('engine.models.holds_code')}
          </Text>
          <pre className="en-licence">{runs.join('\n')}</pre>
          <Checkbox
            label={t('engine.models.accept_code')}
            checked={code}
            onChange={(event) => setCode(event.currentTarget.checked)}
          />
        </>
      )}
      {install.isPending && (
        <Group gap="xs" mt="xs">
          <Loader size="xs" />
          <Text size="sm">{t('engine.models.installing')}</Text>
        </Group>
      )}
      {install.isError && (
        <Alert color="red" mt="xs" role="alert" className="en-lines">
          {install.error.message}
        </Alert>
      )}
      <Group justify="flex-end" mt="xs" gap="xs">
        <Button size="xs" variant="subtle" color="gray" onClick={onClose}>
          {t('engine.life.not_now')}
        </Button>
        <Button
          size="xs"
          disabled={!accepted || (runs.length > 0 && !code) || install.isPending}
          onClick={() => install.mutate()}
        >
          {t('engine.models.install')}
        </Button>
      </Group>
    </div>
  );
}
