/** What computes: processors and GPUs, their memory, models that stay open, what runs there. */
import { Badge, Group, Progress, SimpleGrid, Skeleton, Table, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';

import { api } from '../../../shared/api';
import type { DeviceItem, Devices } from '../../../shared/engine';
import { decimal, duration, instant } from '../../../shared/format';
import { LaneBadge } from '../parts/Badges';
import { Failure } from '../parts/Failure';
import { Section } from '../parts/Section';

export default function DevicesPage() {
  const { t } = useTranslation();
  const answer = useQuery({
    queryKey: ['devices'],
    queryFn: () => api.get<Devices>('/devices'),
    refetchInterval: 2000,
  });
  const found = answer.data;
  return (
    <>
      <Group justify="space-between" mb="md" align="baseline">
        <Title order={1} size="h3">
          {t('engine.nav.devices')}
        </Title>
        <Text size="xs" c="dimmed">
          {found && t('engine.devices.at', { at: instant(found.at) })}
        </Text>
      </Group>
      {answer.isError && <Failure error={answer.error} onRetry={() => void answer.refetch()} />}
      {answer.isPending && <Skeleton h={220} />}
      {found?.devices.length === 0 && <Text>{t('engine.devices.none')}</Text>}
      {found && (
        <div className="en-stack">
          <SimpleGrid cols={{ base: 1, md: 2 }}>
            {found.devices.map((device) => (
              <Device key={device.id} device={device} />
            ))}
          </SimpleGrid>
          {found.devices.length > 0 && found.devices.every((each) => each.kind === 'cpu') && (
            <Text size="sm" c="dimmed">
              {t('engine.devices.no_gpu')}
            </Text>
          )}
          <Section title={t('engine.queue.running')}>
            <Running found={found} />
          </Section>
        </div>
      )}
    </>
  );
}

function Device({ device }: { device: DeviceItem }) {
  const { t, i18n } = useTranslation();
  const used = device.total_mib - device.free_mib;
  const gib = (mib: number) => decimal((mib / 1024).toFixed(1), i18n.language);
  const memory = t('engine.devices.memory', { used: gib(used), total: gib(device.total_mib) });
  const busy = device.utilisation_percent;
  return (
    <section className="en-card en-section" aria-label={device.title}>
      <Group gap={8} mb="xs">
        <Badge variant="light" color={device.kind === 'cuda' ? 'teal' : 'gray'}>
          {device.kind === 'cuda' ? 'GPU' : 'CPU'}
        </Badge>
        <Text fw={600} size="sm">
          {device.title}
        </Text>
        <Text size="xs" c="dimmed">
          {device.id}
        </Text>
      </Group>
      <Text size="sm">{memory}</Text>
      <Progress value={(100 * used) / device.total_mib} size="lg" aria-label={memory} />
      <Text size="xs" c="dimmed" mt={2} mb="xs">
        {t('engine.devices.budget', { budget: gib(device.budget_mib) })}
      </Text>
      {device.leases && (
        <Text size="sm" mb="xs">
          {t('engine.devices.leased', {
            leased: gib(device.leases.leased_mib),
            running: device.leases.running,
          })}
          {device.leases.waiting.length > 0 &&
            ` ${t('engine.devices.wait_for_memory', {
              count: device.leases.waiting.length,
              need: gib(device.leases.waiting.reduce((sum, each) => sum + each.mib, 0)),
              time: duration(
                Math.max(...device.leases.waiting.map((each) => each.waited_s)),
                i18n.language,
              ),
            })}`}
        </Text>
      )}
      <Text size="sm">
        {busy === null
          ? t('engine.devices.busy_unknown')
          : t('engine.devices.busy', { percent: decimal(busy.toFixed(0), i18n.language) })}
      </Text>
      <Progress value={busy ?? 0} size="sm" color="teal" aria-label={t('engine.devices.load')} />
      <Text size="sm" fw={600} mt="sm">
        {t('engine.devices.open_models')}
      </Text>
      {device.residents.length === 0 ? (
        <Text size="sm" c="dimmed">
          {t('engine.devices.no_models')}
        </Text>
      ) : (
        <Table verticalSpacing={3}>
          <Table.Tbody>
            {device.residents.map((each) => (
              <Table.Tr key={`${each.model}/${each.version}/${each.process}`}>
                <Table.Td>
                  <Link to={`/models/${each.model}`} className="en-link">
                    {each.title}
                  </Link>{' '}
                  <Text span size="xs" c="dimmed">
                    {each.version}
                  </Text>
                </Table.Td>
                <Table.Td ta="right">
                  {each.mib < 0.1
                    ? `< ${decimal('0.1', i18n.language)}`
                    : decimal(each.mib.toFixed(1), i18n.language)}{' '}
                  MiB
                </Table.Td>
                <Table.Td ta="right">
                  {t('engine.devices.idle', { time: duration(each.idle_s, i18n.language) })}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </section>
  );
}

function Running({ found }: { found: Devices }) {
  const { t, i18n } = useTranslation();
  return (
    <>
      {found.running.length === 0 && (
        <Text size="sm" c="dimmed">
          {t('engine.queue.idle')}
        </Text>
      )}
      {found.running.map((each) => (
        <Group key={each.job} justify="space-between" className="en-output">
          <Group gap={8}>
            <Text size="sm" fw={600}>
              {each.title}
            </Text>
            <LaneBadge lane={each.lane} />
          </Group>
          <Text size="xs" c="dimmed">
            {each.cpu !== null &&
              each.ram_mib !== null &&
              t('engine.devices.reserved', {
                cpu: decimal(String(each.cpu), i18n.language),
                ram: decimal((each.ram_mib / 1024).toFixed(1), i18n.language),
              })}
            {each.since && ` · ${instant(each.since)}`}
          </Text>
        </Group>
      ))}
      <Text size="sm" mt="xs">
        <Link to="/queue" className="en-link">
          {t('engine.devices.waiting', { count: found.waiting })}
        </Link>
      </Text>
    </>
  );
}
