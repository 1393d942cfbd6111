/** One model: what it is for, its versions, and how readers agree with it. */
import { Alert, Badge, Button, Group, Text, Title } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';

import { api } from '../../../shared/api';
import type { Facts } from '../../../shared/facts';
import type { ModelItem, ModelVersion } from '../../../shared/models';
import { percent } from '../facts/Agreement';
import { InstallForm } from './InstallForm';
import { StateBadge } from './StateBadge';

export function ModelCard({ item, mayManage }: { item: ModelItem; mayManage: boolean }) {
  const { t } = useTranslation();
  const shown = item.versions.find((v) => v.version === item.active) ?? item.versions[0];
  const installed = item.versions.some((v) => v.installed);
  const use = shown?.intended_use;
  return (
    <article className="en-card en-section" aria-label={item.title}>
      <Title order={2} size="h4">
        {installed ? (
          <Link to={`/models/${item.id}`} className="en-link">
            {item.title}
          </Link>
        ) : (
          item.title
        )}
      </Title>
      <Text size="xs" c="dimmed">
        {[item.id, shown?.runner, shown?.modality?.join(', ')].filter(Boolean).join(' · ')}
      </Text>
      {use && (
        <>
          <Group gap={6} my="xs">
            <Badge color="yellow" variant="light" className="en-unverified">
              {t(`viewer.status.${use.status}`)}
            </Badge>
            {shown.licence && (
              <Badge color="gray" variant="outline" tt="none">
                {shown.licence}
              </Badge>
            )}
          </Group>
          <Text size="sm">{use.text}</Text>
          <Text size="xs" c="dimmed" mt={4}>
            {shown.labels?.map((label) => label.title).join(', ')}
          </Text>
        </>
      )}
      <div className="en-versions">
        {item.versions.map((version) => (
          <Version
            key={`${version.version}/${version.digest}`}
            model={item.id}
            version={version}
            mayManage={mayManage}
          />
        ))}
      </div>
      {installed && <Agreed model={item.id} />}
    </article>
  );
}

interface VersionProperties {
  model: string;
  version: ModelVersion;
  mayManage: boolean;
}

function Version({ model, version, mayManage }: VersionProperties) {
  const { t } = useTranslation();
  const [installing, setInstalling] = useState(false);
  const usable = !version.error && !version.installed;
  return (
    <div className="en-output">
      <Group justify="space-between" gap="xs">
        <Group gap={8}>
          {version.installed ? (
            <Link
              to={`/models/${model}?version=${encodeURIComponent(version.version)}`}
              className="en-link en-small"
            >
              {version.version}
            </Link>
          ) : (
            <Text size="sm">{version.version || '–'}</Text>
          )}
          {version.state ? (
            <StateBadge state={version.state} />
          ) : (
            <Badge variant="outline" color={version.error ? 'red' : 'gray'}>
              {t(version.error ? 'engine.models.broken' : 'engine.models.not_installed')}
            </Badge>
          )}
        </Group>
        {usable && mayManage && !installing && (
          <Button size="compact-sm" variant="light" onClick={() => setInstalling(true)}>
            {t('engine.models.install')}
          </Button>
        )}
      </Group>
      {version.error && (
        <Alert
          color="red"
          icon={<IconAlertTriangle size={16} />}
          mt={6}
          p="xs"
          className="en-lines"
        >
          {version.error}
        </Alert>
      )}
      {version.weights && !version.weights.present && usable && (
        <Text size="xs" c="dimmed" mt={4}>
          {t('engine.models.weights_away', { model })}
        </Text>
      )}
      {installing && (
        <InstallForm model={model} version={version.version} onClose={() => setInstalling(false)} />
      )}
    </div>
  );
}

function Agreed({ model }: { model: string }) {
  const { t, i18n } = useTranslation();
  const answer = useQuery({
    queryKey: ['facts', 'models', model, ''],
    queryFn: () => api.get<Facts>(`/models/${model}/facts`),
    retry: false,
  });
  const agreement = answer.data?.agreement;
  if (!agreement) return null;
  return (
    <Text size="xs" c="dimmed" mt="xs">
      {agreement.decided === 0
        ? t('engine.facts.no_decisions', { waiting: agreement.waiting })
        : t('engine.models.agreed', {
            decided: agreement.decided,
            accepted: percent(agreement.rates.accepted, i18n.language),
            edited: percent(agreement.rates.edited, i18n.language),
            rejected: percent(agreement.rates.rejected, i18n.language),
          })}
    </Text>
  );
}
