/** Two versions side by side: a summary, the plots, and every study with pictures. */
import { Badge, Group, SimpleGrid, Table, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';

import type { ComparedFinding, Difference } from '../../../shared/facts';
import { decimal, unit } from '../../../shared/format';
import { percent } from '../facts/Agreement';
import { BlandAltman, tick } from '../facts/plots';
import { Preview } from '../parts/Preview';

const COLOUR = { matched: 'green', only_from: 'orange', only_to: 'blue' } as const;

export function Compared({ found }: { found: Difference }) {
  const { t, i18n } = useTranslation();
  const { summary } = found;
  const shown = (value: number) => decimal(tick(value), i18n.language);
  const figures: [string, string | number][] = [
    ['studies', found.studies_compared],
    ['matched', summary.matched],
    ['only_from', summary.only_from],
    ['only_to', summary.only_to],
    ['same_share', percent(summary.agreement, i18n.language)],
    ['dice', summary.dice.value == null ? '–' : shown(summary.dice.value)],
  ];
  if (found.studies_compared === 0) {
    return (
      <Text size="sm" c="dimmed">
        {t('engine.difference.no_studies')}
      </Text>
    );
  }
  return (
    <>
      <SimpleGrid cols={{ base: 2, sm: 3, lg: 6 }} mb="sm">
        {figures.map(([key, value]) => (
          <div key={key}>
            <Text size="xs" c="dimmed">
              {t(`engine.difference.${key}`)}
            </Text>
            <Text fw={600}>{value}</Text>
          </div>
        ))}
      </SimpleGrid>
      {summary.refused_from + summary.refused_to > 0 && (
        <Text size="sm" mb="sm">
          {t('engine.difference.refused', { from: summary.refused_from, to: summary.refused_to })}
        </Text>
      )}
      <SimpleGrid cols={{ base: 1, md: 2 }} mb="sm">
        {summary.values.map((each) => (
          <BlandAltman
            key={each.measurement}
            points={each.points.map((p) => [(p.from + p.to) / 2, p.to - p.from])}
            bias={each.bias}
            low={each.low}
            high={each.high}
            xTitle={t('engine.difference.mean_of_both', { unit: unit(each.unit) })}
            yTitle={t('engine.difference.to_minus_from', { unit: unit(each.unit) })}
            label={`${each.title}: Bland–Altman`}
            caption={t('engine.facts.bland_altman', {
              title: each.title,
              n: each.n,
              bias: shown(each.bias),
              low: shown(each.low),
              high: shown(each.high),
              unit: unit(each.unit),
            })}
          />
        ))}
      </SimpleGrid>
      <Table.ScrollContainer minWidth={640}>
        <Table verticalSpacing={6}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('engine.difference.finding')}</Table.Th>
              <Table.Th>{t('engine.difference.values')}</Table.Th>
              <Table.Th>{found.from}</Table.Th>
              <Table.Th>{found.to}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {found.studies.flatMap((study) =>
              study.findings.map((each) => (
                <Row
                  key={`${each.from ?? ''}/${each.to ?? ''}`}
                  study={study.study_uid}
                  found={each}
                />
              )),
            )}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </>
  );
}

function Row({ study, found }: { study: string; found: ComparedFinding }) {
  const { t, i18n } = useTranslation();
  const shown = (value: number) => decimal(tick(value), i18n.language);
  return (
    <Table.Tr>
      <Table.Td>
        <Text size="sm" fw={600}>
          {found.title}
        </Text>
        <Badge size="sm" variant="light" color={COLOUR[found.change]}>
          {t(`engine.difference.${found.change}`)}
        </Badge>
        <Text size="xs">
          <Link to={`/studies/${study}`} className="en-link">
            {t('engine.difference.open')}
          </Link>
        </Text>
      </Table.Td>
      <Table.Td>
        {found.values.map((value) => (
          <Text size="sm" key={value.measurement}>
            {value.title}: {shown(value.from)} → <b>{shown(value.to)}</b> {unit(value.unit)}
            {value.percent !== null &&
              ` (${value.percent > 0 ? '+' : ''}${shown(value.percent)} %)`}
          </Text>
        ))}
        <Group gap="xs">
          {found.dice !== null && (
            <Text size="xs" c="dimmed">
              Dice {shown(found.dice)}
            </Text>
          )}
          {found.distance_mm !== null && (
            <Text size="xs" c="dimmed">
              {shown(found.distance_mm)} mm
            </Text>
          )}
        </Group>
      </Table.Td>
      {[found.from, found.to].map((id, n) => (
        <Table.Td key={n}>{id ? <Preview finding={id} title={found.title} /> : '–'}</Table.Td>
      ))}
    </Table.Tr>
  );
}
