/** The latest report on the site's own labelled data. */
import { SimpleGrid, Table, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';

import type { ClassReport, Estimate, LabelReport, ValidationReport } from '../../../shared/facts';
import { decimal } from '../../../shared/format';
import { percent } from './Agreement';
import { BlandAltman, UnitCurve, tick } from './plots';

function estimate(found: Partial<Estimate> | undefined, language: string): string {
  if (found?.value == null) return '–';
  const shown = (v: number) => decimal(v.toFixed(2), language);
  const inside =
    found.low != null && found.high != null ? ` (${shown(found.low)}–${shown(found.high)})` : '';
  return shown(found.value) + inside;
}

export function Validation({ report }: { report: ValidationReport }) {
  const { t } = useTranslation();
  return (
    <>
      <Text size="sm" c="dimmed" mb="sm">
        {t('engine.facts.validated_on', { set: report.set.name, cases: report.set.cases })}
      </Text>
      {report.labels.length > 0 && <Labels labels={report.labels} />}
      {report.classes.map((each) => (
        <Class key={each.id} found={each} />
      ))}
    </>
  );
}

function name(title: Record<string, string>, language: string, id: string): string {
  return title[language] ?? title['en'] ?? id;
}

function Labels({ labels }: { labels: LabelReport[] }) {
  const { t, i18n } = useTranslation();
  const language = i18n.language;
  return (
    <>
      <Table verticalSpacing={3} mb="sm">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('engine.facts.structure')}</Table.Th>
            <Table.Th ta="right">Dice</Table.Th>
            <Table.Th ta="right">HD95 (mm)</Table.Th>
            <Table.Th ta="right">{t('engine.facts.missed')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {labels.map((label) => (
            <Table.Tr key={label.id}>
              <Table.Td>{name(label.title, language, label.id)}</Table.Td>
              <Table.Td ta="right">{estimate(label.dice, language)}</Table.Td>
              <Table.Td ta="right">{estimate(label.hd95_mm, language)}</Table.Td>
              <Table.Td ta="right">
                {label.missed} / {label.cases}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
        {labels
          .filter((label) => label.volume.n > 1)
          .map((label) => (
            <BlandAltman
              key={label.id}
              points={label.volume.points}
              bias={label.volume.bias}
              low={label.volume.low}
              high={label.volume.high}
              xTitle={t('engine.facts.mean_of_both', { unit: label.volume.unit })}
              yTitle={t('engine.facts.model_minus_truth', { unit: label.volume.unit })}
              label={`${name(label.title, language, label.id)}: Bland–Altman`}
              caption={t('engine.facts.bland_altman', {
                title: name(label.title, language, label.id),
                n: label.volume.n,
                bias: decimal(tick(label.volume.bias), language),
                low: decimal(tick(label.volume.low), language),
                high: decimal(tick(label.volume.high), language),
                unit: label.volume.unit,
              })}
            />
          ))}
      </SimpleGrid>
      <Groups labels={labels} />
    </>
  );
}

function Groups({ labels }: { labels: LabelReport[] }) {
  const { t, i18n } = useTranslation();
  const rows = labels.flatMap((label) =>
    Object.entries(label.groups).flatMap(([kind, groups]) =>
      groups.map((group) => ({ label, kind, group })),
    ),
  );
  if (rows.length === 0) return null;
  return (
    <Table verticalSpacing={2} mt="sm">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{t('engine.facts.group')}</Table.Th>
          <Table.Th>{t('engine.facts.structure')}</Table.Th>
          <Table.Th ta="right">n</Table.Th>
          <Table.Th ta="right">Dice</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {rows.map(({ label, kind, group }) => (
          <Table.Tr key={`${label.id}/${kind}/${group.group}`}>
            <Table.Td>
              {t(`engine.facts.groups.${kind}`)}: {group.group}
            </Table.Td>
            <Table.Td>{name(label.title, i18n.language, label.id)}</Table.Td>
            <Table.Td ta="right">{group.n}</Table.Td>
            <Table.Td ta="right">{estimate(group.dice, i18n.language)}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function Class({ found }: { found: ClassReport }) {
  const { t, i18n } = useTranslation();
  const language = i18n.language;
  const title = name(found.title, language, found.id);
  const auroc = decimal((found.auroc.value ?? 0).toFixed(3), language);
  return (
    <>
      <Text size="sm" fw={600}>
        {title}: AUROC {auroc} (
        {found.auroc.delong.map((v) => decimal(v.toFixed(2), language)).join('–')}
        ), {t('engine.facts.sensitivity')} {percent(found.at_threshold.sensitivity, language)},{' '}
        {t('engine.facts.specificity')} {percent(found.at_threshold.specificity, language)}
      </Text>
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} mb="sm">
        <UnitCurve
          points={found.roc.map(([x, y]) => [x, y])}
          xTitle={`1 − ${t('engine.facts.specificity')}`}
          yTitle={t('engine.facts.sensitivity')}
          label={`${title}: ROC`}
          caption={t('engine.facts.roc', {
            positives: found.positives,
            negatives: found.negatives,
          })}
        />
        <UnitCurve
          marks
          points={found.calibration.bins
            .filter((bin) => bin.observed.value != null)
            .map((bin) => [bin.predicted, bin.observed.value ?? 0])}
          xTitle={t('engine.facts.predicted')}
          yTitle={t('engine.facts.observed')}
          label={`${title}: ${t('engine.facts.calibration')}`}
          caption={`${t('engine.facts.calibration')}: Brier ${tick(found.calibration.brier)}, ECE ${tick(found.calibration.ece)}`}
        />
      </SimpleGrid>
    </>
  );
}
