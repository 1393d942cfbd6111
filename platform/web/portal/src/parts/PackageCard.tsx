/** One package: what it is for, needs, gives and refuses; on or off. */
import { Accordion, Alert, Badge, Code, Group, List, Switch, Text, Title } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';

import { api } from '../../../shared/api';
import { unit } from '../../../shared/format';
import type { PackageItem } from '../../../shared/types';
import { Certificates } from '../packages/Certificates';
import { Notes } from '../packages/Notes';
import { Thresholds } from '../packages/Thresholds';
import { LaneBadge } from './Badges';

export function PackageCard({ item, mayManage }: { item: PackageItem; mayManage: boolean }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: (enable: boolean) =>
      api.post<unknown>(`/packages/${item.id}/${enable ? 'enable' : 'disable'}`),
    onSettled: () => client.invalidateQueries({ queryKey: ['packages'] }),
  });
  const facts = `/${item.model ? 'models' : 'packages'}/${item.id}`;
  const enabled = change.isPending ? change.variables : item.enabled;
  return (
    <article className="en-card en-section" aria-label={item.title}>
      <Group justify="space-between" align="flex-start" wrap="nowrap">
        <div>
          <Title order={2} size="h4">
            {item.error ? (
              item.title
            ) : (
              <Link to={facts} className="en-link">
                {item.title}
              </Link>
            )}
          </Title>
          <Text size="xs" c="dimmed">
            {[item.id, item.version, item.distribution].filter(Boolean).join(' · ')}
          </Text>
        </div>
        {!item.error && (
          <Switch
            checked={enabled}
            disabled={!mayManage || change.isPending}
            label={t(enabled ? 'portal.packages.on' : 'portal.packages.off')}
            labelPosition="left"
            onChange={(event) => change.mutate(event.currentTarget.checked)}
          />
        )}
      </Group>
      {item.error && (
        <Alert
          color="red"
          icon={<IconAlertTriangle />}
          mt="sm"
          className="en-lines"
          title={t('portal.packages.broken')}
        >
          {item.error}
        </Alert>
      )}
      {change.isError && (
        <Alert color="red" mt="sm" role="alert">
          {change.error.message}
        </Alert>
      )}
      {item.intended_use && <Use item={item} />}
      {!item.error && (
        <Group justify="space-between" mt="sm" gap="xs">
          <Text size="xs" c="dimmed">
            {t('portal.packages.jobs', { ...item.jobs })}
          </Text>
          <Link to={facts} className="en-link en-small">
            {t('engine.package.facts')}
          </Link>
        </Group>
      )}
      {!item.error && <Details item={item} mayManage={mayManage} />}
    </article>
  );
}

function Use({ item }: { item: PackageItem }) {
  const { t } = useTranslation();
  const use = item.intended_use;
  if (!use) return null;
  return (
    <>
      <Group gap={6} my="xs">
        <LaneBadge lane={item.lane} />
        <Badge color="yellow" variant="light" className="en-unverified">
          {t(`viewer.status.${use.status}`)}
        </Badge>
        <Badge color="gray" variant="light">
          {item.quality}
        </Badge>
        <Badge color="gray" variant="outline">
          {item.licence}
        </Badge>
      </Group>
      <Text size="sm">{use.text}</Text>
      {use.contraindications.length > 0 && (
        <>
          <Text size="sm" mt={6} fw={600}>
            {t('portal.packages.not_for')}
          </Text>
          <List size="sm" mt={2}>
            {use.contraindications.map((text) => (
              <List.Item key={text}>{text}</List.Item>
            ))}
          </List>
        </>
      )}
      {use.trained_on && (
        <Text size="sm" mt={4}>
          {t('portal.packages.trained_on')}: {use.trained_on}
        </Text>
      )}
    </>
  );
}

function Details({ item, mayManage }: { item: PackageItem; mayManage: boolean }) {
  const { t } = useTranslation();
  return (
    <Accordion variant="default" mt="xs" chevronPosition="left" multiple>
      {item.notes && (
        <Accordion.Item value="notes">
          <Accordion.Control>{t('engine.package.notes')}</Accordion.Control>
          <Accordion.Panel>
            <Notes notes={item.notes} isolation={item.isolation?.text ?? ''} />
          </Accordion.Panel>
        </Accordion.Item>
      )}
      <Accordion.Item value="inputs">
        <Accordion.Control>{t('portal.packages.inputs')}</Accordion.Control>
        <Accordion.Panel>
          {item.inputs.map((input) => (
            <div key={input.name}>
              <Text size="sm" fw={600}>
                {input.name} · {input.modality.join(', ')} {input.body_part.join(', ')}
                {input.optional && ` (${t('portal.packages.optional')})`}
              </Text>
              <List size="sm">
                {input.rules.map((rule) => (
                  <List.Item key={rule}>{rule}</List.Item>
                ))}
              </List>
            </div>
          ))}
        </Accordion.Panel>
      </Accordion.Item>
      <Accordion.Item value="outputs">
        <Accordion.Control>{t('portal.packages.outputs')}</Accordion.Control>
        <Accordion.Panel>
          {item.outputs.map((output) => (
            <div key={output.id} className="en-output">
              <Text size="sm">
                <b>{output.title}</b> {unit(output.unit) && `(${unit(output.unit)})`}{' '}
                <Text span size="xs" c="dimmed">
                  {t(`portal.packages.kind.${output.kind}`)}
                </Text>
              </Text>
              {output.method && <Code>{output.method}</Code>}
              {output.reference && (
                <Text size="xs" c="dimmed">
                  {output.reference}
                </Text>
              )}
            </div>
          ))}
        </Accordion.Panel>
      </Accordion.Item>
      <Accordion.Item value="refusals">
        <Accordion.Control>{t('portal.packages.refusals')}</Accordion.Control>
        <Accordion.Panel>
          {item.refusals.map((refusal) => (
            <Text key={`${refusal.code}/${refusal.text}`} size="sm">
              <Code>{refusal.code}</Code> {refusal.text}
            </Text>
          ))}
        </Accordion.Panel>
      </Accordion.Item>
      {!item.model && (
        <>
          <Accordion.Item value="thresholds">
            <Accordion.Control>{t('engine.threshold.title')}</Accordion.Control>
            <Accordion.Panel>
              <Thresholds package={item.id} mayManage={mayManage} />
            </Accordion.Panel>
          </Accordion.Item>
          <Accordion.Item value="certificates">
            <Accordion.Control>{t('engine.certificate.title')}</Accordion.Control>
            <Accordion.Panel>
              <Certificates
                package={item.id}
                version={item.version}
                certificates={item.certificates}
                mayManage={mayManage}
              />
            </Accordion.Panel>
          </Accordion.Item>
        </>
      )}
    </Accordion>
  );
}
