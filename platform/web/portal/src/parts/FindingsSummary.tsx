/** The findings in short; deciding happens in the viewer. */
import { Group, Skeleton, Table, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';

import { useFindings } from '../../../shared/findings';
import { decimal, unit } from '../../../shared/format';
import type { FindingItem, Study } from '../../../shared/types';
import { LaneBadge, Unverified, Urgent } from './Badges';
import { Failure } from './Failure';
import { Preview } from './Preview';
import { Section } from './Section';

export function FindingsSummary({ study }: { study: Study }) {
  const { t } = useTranslation();
  const answer = useFindings(study.study_uid);
  const empty = answer.data?.findings.length === 0;
  return (
    <Section title={t('portal.findings.title')}>
      {answer.isPending && <Skeleton h={80} />}
      {answer.isError && <Failure error={answer.error} onRetry={() => void answer.refetch()} />}
      {empty && (
        <Text size="sm" c="dimmed">
          {t(`portal.findings.empty.${study.ai.state}`)}
        </Text>
      )}
      {answer.data && !empty && (
        <Table verticalSpacing={6}>
          <Table.Tbody>
            {answer.data.findings.map((finding) => (
              <Row key={finding.id} finding={finding} />
            ))}
          </Table.Tbody>
        </Table>
      )}
      {Object.entries(answer.data?.intended_use ?? {}).map(([id, use]) => (
        <Text key={id} size="xs" c="dimmed" mt="sm">
          <b>{t(`viewer.status.${use.status}`)}.</b> {use.text}
        </Text>
      ))}
    </Section>
  );
}

function Row({ finding }: { finding: FindingItem }) {
  const { t, i18n } = useTranslation();
  return (
    <Table.Tr>
      <Table.Td>
        <Group gap={8}>
          <Text fw={600} size="sm">
            {finding.title}
          </Text>
          <LaneBadge lane={finding.lane} />
          {finding.urgent && <Urgent />}
        </Group>
        <Group gap={6}>
          {finding.unverified && <Unverified />}
          <Text size="xs" c="dimmed">
            {t(`viewer.state.${finding.state}`)}
            {finding.decision?.by && ` · ${finding.decision.by}`}
          </Text>
        </Group>
        {finding.lane !== undefined && finding.lane !== 'active' && (
          <>
            <Text size="xs" c="dimmed">
              {t(`engine.held.${finding.lane}`)}
            </Text>
            <Preview finding={finding.id} title={finding.title} />
          </>
        )}
      </Table.Td>
      <Table.Td ta="end">
        {finding.measurements.map((m) => (
          <div key={m.id} className="en-value">
            <Text span size="xs" c="dimmed">
              {m.title}
            </Text>
            <Text span size="sm">
              <b>{decimal(m.shown, i18n.language)}</b> {unit(m.unit)}
            </Text>
          </div>
        ))}
      </Table.Td>
    </Table.Tr>
  );
}
