/** What the site has on file from authorities; never a claim of this software. */
import { Alert, Badge, Button, Group, SimpleGrid, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { api } from '../../../shared/api';
import type { Certificate } from '../../../shared/types';

interface Properties {
  package: string;
  version: string;
  certificates: Certificate[];
  mayManage: boolean;
}

export function Certificates(p: Properties) {
  const { t } = useTranslation();
  const [adding, setAdding] = useState(false);
  return (
    <>
      <Text size="xs" c="dimmed" mb={6}>
        {t('engine.certificate.what')}
      </Text>
      {p.certificates.length === 0 && <Text size="sm">{t('rules.certificate.none')}</Text>}
      {p.certificates.map((each) => (
        <Filed key={each.id} package={p.package} found={each} mayManage={p.mayManage} />
      ))}
      {p.mayManage && !adding && (
        <Button size="xs" variant="light" mt="xs" onClick={() => setAdding(true)}>
          {t('engine.certificate.add')}
        </Button>
      )}
      {adding && <Form package={p.package} version={p.version} onDone={() => setAdding(false)} />}
    </>
  );
}

interface FiledProperties {
  package: string;
  found: Certificate;
  mayManage: boolean;
}

function Filed({ package: id, found, mayManage }: FiledProperties) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [reason, setReason] = useState<string | null>(null);
  const withdraw = useMutation({
    mutationFn: () => api.post(`/packages/${id}/certificates/${found.id}/withdraw`, { reason }),
    onSuccess: async () => {
      setReason(null);
      await client.invalidateQueries();
    },
  });
  return (
    <div className="en-output">
      <Group gap={6}>
        <Text size="sm" fw={600}>
          {found.issuer} · {found.number}
        </Text>
        <Badge size="sm" variant="light" color={found.state === 'valid' ? 'blue' : 'gray'}>
          {t(`engine.certificate.state.${found.state}`)}
        </Badge>
      </Group>
      <Text size="sm">{found.scope}</Text>
      <Text size="xs" c="dimmed">
        {found.text} {found.statement}
      </Text>
      {mayManage && found.state !== 'withdrawn' && reason === null && (
        <Button size="compact-xs" variant="subtle" color="gray" onClick={() => setReason('')}>
          {t('engine.certificate.withdraw')}
        </Button>
      )}
      {reason !== null && (
        <Group gap="xs" align="flex-end" mt={4}>
          <TextInput
            size="xs"
            className="en-grow"
            label={t('engine.certificate.why')}
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
          />
          <Button
            size="xs"
            color="orange"
            disabled={!reason.trim()}
            loading={withdraw.isPending}
            onClick={() => withdraw.mutate()}
          >
            {t('engine.certificate.withdraw')}
          </Button>
        </Group>
      )}
      {withdraw.isError && <Alert color="red">{withdraw.error.message}</Alert>}
    </div>
  );
}

const FIELDS = ['issuer', 'number', 'scope', 'package_version'] as const;
const DATES = ['valid_from', 'valid_until'] as const;
type Field = (typeof FIELDS)[number] | (typeof DATES)[number];

interface FormProperties {
  package: string;
  version: string;
  onDone: () => void;
}

function Form({ package: id, version, onDone }: FormProperties) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [values, setValues] = useState<Partial<Record<Field, string>>>({
    package_version: version,
  });
  const add = useMutation({
    mutationFn: () => {
      const given = Object.entries(values).filter(([, value]) => value.trim());
      return api.post(`/packages/${id}/certificates`, Object.fromEntries(given));
    },
    onSuccess: async () => {
      await client.invalidateQueries();
      onDone();
    },
  });
  const complete = FIELDS.every((field) => values[field]?.trim());
  return (
    <div className="en-form">
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="xs">
        {[...FIELDS, ...DATES].map((field) => (
          <TextInput
            key={field}
            size="xs"
            type={field.startsWith('valid_') ? 'date' : 'text'}
            label={t(`engine.certificate.field.${field}`)}
            value={values[field] ?? ''}
            onChange={(event) => {
              const { value } = event.currentTarget;
              setValues((before) => ({ ...before, [field]: value }));
            }}
          />
        ))}
      </SimpleGrid>
      {add.isError && (
        <Alert color="red" mt="xs" role="alert">
          {add.error.message}
        </Alert>
      )}
      <Group justify="flex-end" mt="xs" gap="xs">
        <Button size="xs" variant="subtle" color="gray" onClick={onDone}>
          {t('engine.life.not_now')}
        </Button>
        <Button size="xs" disabled={!complete} loading={add.isPending} onClick={() => add.mutate()}>
          {t('engine.certificate.put')}
        </Button>
      </Group>
    </div>
  );
}
