/** The facts of one model or package, under the headings of an applied model card. */
import { Badge, Code, Group, List, Select, SimpleGrid, Skeleton, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { useParams, useSearchParams } from 'react-router';

import { api } from '../../../shared/api';
import type { Facts } from '../../../shared/facts';
import { date, decimal } from '../../../shared/format';
import type { Session } from '../../../shared/types';
import { Agreement } from '../facts/Agreement';
import { Drift } from '../facts/Drift';
import { History } from '../facts/History';
import { Lifecycle } from '../facts/Lifecycle';
import { Use } from '../facts/Use';
import { Validation } from '../facts/Validation';
import { Failure } from '../parts/Failure';
import { Section } from '../parts/Section';
import { StateBadge } from '../models/StateBadge';

interface Properties {
  kind: 'models' | 'packages';
  session: Session;
}

export default function FactsPage({ kind, session }: Properties) {
  const { t, i18n } = useTranslation();
  const { name = '' } = useParams();
  const [parameters, setParameters] = useSearchParams();
  const version = parameters.get('version') ?? '';
  const answer = useQuery({
    queryKey: ['facts', kind, name, version],
    queryFn: () =>
      api.get<Facts>(
        `/${kind}/${name}/facts${version ? `?version=${encodeURIComponent(version)}` : ''}`,
      ),
  });
  if (answer.isError) {
    return <Failure error={answer.error} onRetry={() => void answer.refetch()} />;
  }
  if (!answer.data) return <Skeleton h={400} />;
  const facts = answer.data;
  const mayManage = session.permissions.includes('model:manage');
  return (
    <>
      <Group justify="space-between" mb="xs">
        <Group gap={10}>
          <Title order={1} size="h3">
            {facts.title}
          </Title>
          {facts.kind === 'model' && <StateBadge state={facts.state} />}
          <Badge color="yellow" variant="light" className="en-unverified">
            {facts.intended_use.status_text}
          </Badge>
        </Group>
        {facts.versions.length > 1 && (
          <Select
            w={200}
            allowDeselect={false}
            aria-label={t('engine.facts.version')}
            value={facts.version}
            data={facts.versions.map((v) => ({
              value: v.version,
              label: `${v.version} · ${t(`engine.state.${v.state}`)}`,
            }))}
            onChange={(value) => value && setParameters({ version: value }, { replace: true })}
          />
        )}
      </Group>
      <Text size="xs" c="dimmed" mb="md">
        {[facts.id, facts.version, facts.licence.spdx, facts.identity.owners.join(', ')]
          .filter(Boolean)
          .join(' · ')}
      </Text>
      {facts.kind === 'model' && mayManage && <Lifecycle facts={facts} />}
      <div className="en-facts">
        <Section title={t('engine.facts.use')}>
          <Use facts={facts} />
        </Section>
        <Section title={t('engine.facts.warnings')}>
          <Text size="sm" fw={600} className="en-unverified">
            {t('portal.research_only')}
          </Text>
          {facts.warnings.trained_on && (
            <Text size="sm">
              {t('portal.packages.trained_on')}: {facts.warnings.trained_on}
            </Text>
          )}
          <List size="sm">
            {[...facts.warnings.contraindications, ...facts.warnings.limits].map((text) => (
              <List.Item key={text}>{text}</List.Item>
            ))}
          </List>
        </Section>
        <Section title={t('engine.facts.agreement')}>
          <Agreement found={facts.agreement} />
        </Section>
        <Section title={t('engine.facts.drift_title')}>
          <Drift found={facts.drift} />
        </Section>
        {facts.kind === 'model' && (
          <Section title={t('engine.facts.validation')}>
            {facts.local_validation?.latest ? (
              <Validation report={facts.local_validation.latest} />
            ) : (
              <Text size="sm" c="dimmed">
                {t('engine.facts.not_validated')}
              </Text>
            )}
          </Section>
        )}
        <Section title={t('engine.facts.mechanism')}>
          <Text size="sm">{facts.mechanism.text}</Text>
          <Text size="sm" c="dimmed">
            {t('engine.facts.resources', {
              cpu: decimal(String(facts.mechanism.resources.cpu), i18n.language),
              ram: decimal(String(facts.mechanism.resources.ram_gib), i18n.language),
              vram: decimal(String(facts.mechanism.resources.vram_gib), i18n.language),
              timeout: facts.mechanism.resources.timeout_s,
            })}
          </Text>
          {facts.training_data.text && (
            <Text size="sm" mt={6}>
              {t('portal.packages.trained_on')}: {facts.training_data.text}
            </Text>
          )}
          {facts.mechanism.card && (
            <details className="en-card-text">
              <summary>{facts.mechanism.card.name}</summary>
              <pre>{facts.mechanism.card.markdown}</pre>
            </details>
          )}
        </Section>
        <Section title={t('engine.facts.evidence')}>
          {(facts.evidence.tests ?? []).map((test) => (
            <Text size="sm" key={`${test.set}/${test.metric}/${test.label}`}>
              {test.set} (n = {test.n}): {test.metric} {test.label}{' '}
              {decimal(String(test.mean), i18n.language)}{' '}
              {test.ci.length === 2 &&
                `(${test.ci.map((v) => decimal(String(v), i18n.language)).join('–')})`}
            </Text>
          ))}
          {(facts.evidence.tests ?? []).length === 0 && (
            <Text size="sm" c="dimmed">
              {t('engine.facts.no_evidence')}
            </Text>
          )}
          {facts.certificates.map((each) => (
            <Text size="sm" key={each.number}>
              {each.issuer} {each.number} ({each.scope}): {each.state}
              {each.valid_until && ` · ${date(each.valid_until)}`}
            </Text>
          ))}
          {facts.certificates.length === 0 && (
            <Text size="sm" c="dimmed">
              {t('rules.certificate.none')}
            </Text>
          )}
        </Section>
        <Section title={t('engine.facts.identity')}>
          <SimpleGrid cols={1} spacing={4}>
            <Text size="xs">
              {t('engine.facts.digest')}: <Code>{facts.identity.digest}</Code>
            </Text>
            {facts.identity.weights_sha256 && (
              <Text size="xs">
                {t('engine.facts.weights')}: <Code>sha256:{facts.identity.weights_sha256}</Code>
              </Text>
            )}
            <Text size="xs">
              {[
                facts.identity.runner,
                facts.identity.runtime,
                facts.identity.distribution,
                facts.identity.quality,
              ]
                .filter(Boolean)
                .join(' · ')}
            </Text>
          </SimpleGrid>
          <History history={facts.maintenance.history ?? []} />
        </Section>
      </div>
    </>
  );
}
