/** A sample image, the licence, the person's agreement, and installing. */
import { Alert, Button, Checkbox, FileButton, Group, Loader, Text } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useNavigate } from 'react-router';

import { api } from '../../../shared/api';
import type { Draft } from '../../../shared/models';
import { Section } from '../parts/Section';

interface Installed {
  model: string;
  version: string;
}

export function Finish({ draft, saving }: { draft: Draft; saving: boolean }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const client = useQueryClient();
  const [accepted, setAccepted] = useState(false);
  const [code, setCode] = useState(false);
  const sample = useMutation({
    mutationFn: (file: File) =>
      api.upload<Draft>(
        'PUT',
        `/models/drafts/${draft.id}/sample?name=${encodeURIComponent(file.name)}`,
        file,
        () => undefined,
      ),
    onSuccess: (data) => client.setQueryData(['draft', draft.id], data),
  });
  const install = useMutation({
    mutationFn: () =>
      api.post<Installed>(`/models/drafts/${draft.id}/install`, {
        licence_accepted: accepted,
        code_accepted: code,
      }),
    onSuccess: async (made) => {
      client.removeQueries({ queryKey: ['draft', draft.id] });
      await client.invalidateQueries();
      await navigate(`/models/${made.model}?version=${encodeURIComponent(made.version)}`);
    },
  });
  const said = (id: string) => {
    const value = draft.questions.find((question) => question.id === id)?.value;
    return typeof value === 'string' ? value : '';
  };
  const licence = said('licence');
  const open = draft.open.length > 0 || draft.problem !== null;
  return (
    <Section title={t('engine.wizard.finish')}>
      <Text size="sm" fw={600}>
        {t('engine.wizard.sample')}
      </Text>
      <Text size="xs" c="dimmed" mb={6}>
        {t('engine.wizard.sample_why')}
      </Text>
      <Group gap="xs" mb="sm">
        <FileButton onChange={(file) => file && sample.mutate(file)} accept=".nii,.gz,.zip">
          {(button) => (
            <Button {...button} size="xs" variant="light" loading={sample.isPending}>
              {t('engine.wizard.sample_choose')}
            </Button>
          )}
        </FileButton>
        <Text size="sm">{draft.sample ?? t('engine.wizard.sample_phantom')}</Text>
      </Group>
      <Text size="sm" fw={600}>
        {t('engine.package.licence')}
      </Text>
      <pre className="en-licence">
        {[licence || t('engine.wizard.no_licence'), said('licence_text')]
          .filter(Boolean)
          .join('\n\n')}
      </pre>
      <Checkbox
        label={t('engine.models.accept_licence')}
        checked={accepted}
        disabled={!licence}
        onChange={(event) => setAccepted(event.currentTarget.checked)}
      />
      {draft.runner === 'monai-bundle' && (
        <Checkbox
          mt="xs"
          label={t('engine.models.accept_code')}
          description={t('engine.wizard.code_why')}
          checked={code}
          onChange={(event) => setCode(event.currentTarget.checked)}
        />
      )}
      {sample.isError && (
        <Alert color="red" mt="sm" role="alert" className="en-lines">
          {sample.error.message}
        </Alert>
      )}
      {install.isError && (
        <Alert
          color="red"
          mt="sm"
          role="alert"
          className="en-lines"
          title={t('engine.wizard.not_installed')}
        >
          {install.error.message}
        </Alert>
      )}
      {install.isPending && (
        <Group gap="xs" mt="sm">
          <Loader size="xs" />
          <Text size="sm">{t('engine.models.installing')}</Text>
        </Group>
      )}
      <Group justify="flex-end" mt="md">
        {open && (
          <Text size="sm" c="dimmed">
            {t('engine.wizard.still_open', { count: draft.open.length })}
          </Text>
        )}
        <Button
          disabled={open || !accepted || saving || install.isPending}
          onClick={() => install.mutate()}
        >
          {t('engine.models.install')}
        </Button>
      </Group>
    </Section>
  );
}
