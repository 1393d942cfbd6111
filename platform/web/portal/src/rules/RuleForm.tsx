/** A rule's condition and action; what is left empty does not matter. */
import {
  Group,
  MultiSelect,
  NumberInput,
  SegmentedControl,
  SimpleGrid,
  TagsInput,
  Text,
  TextInput,
} from '@mantine/core';
import { useTranslation } from 'react-i18next';

import type { Hours, Priority, Rule, RuleCondition, RuleOptions } from '../../../shared/engine';

interface Properties {
  rule: Rule;
  options: RuleOptions | undefined;
  onChange: (rule: Rule) => void;
}

type WordList =
  | 'source'
  | 'modality'
  | 'body_part'
  | 'station'
  | 'manufacturer'
  | 'series_description'
  | 'study_description';

const WORDS: WordList[] = [
  'source',
  'modality',
  'body_part',
  'station',
  'manufacturer',
  'series_description',
  'study_description',
];

export function RuleForm({ rule, options, onChange }: Properties) {
  const { t } = useTranslation();
  const { condition, action } = rule;
  const when = (part: RuleCondition) => onChange({ ...rule, condition: { ...condition, ...part } });
  const then = (part: Rule['action']) => onChange({ ...rule, action: { ...action, ...part } });
  const chosen = options?.packages.filter((p) => condition.package?.includes(p.id)) ?? [];
  const age = condition.age_years ?? { min: null, max: null };
  return (
    <div className="en-form">
      <SimpleGrid cols={{ base: 1, sm: 2 }} mb="sm">
        <TextInput
          label={t('engine.rules.name')}
          value={rule.name}
          onChange={(event) => onChange({ ...rule, name: event.currentTarget.value })}
        />
        <TextInput
          label={t('engine.rules.note')}
          value={rule.note}
          onChange={(event) => onChange({ ...rule, note: event.currentTarget.value })}
        />
      </SimpleGrid>
      <Text size="sm" fw={600} mb={4}>
        {t('engine.rules.when')}
      </Text>
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} mb="sm">
        <MultiSelect
          label={t('engine.rules.field.package')}
          placeholder={condition.package?.length ? '' : t('engine.rules.any')}
          data={options?.packages.map((p) => ({ value: p.id, label: p.title })) ?? []}
          value={condition.package ?? []}
          onChange={(value) => when({ package: value })}
        />
        {WORDS.map((key) => (
          <TagsInput
            key={key}
            label={t(`engine.rules.field.${key}`)}
            placeholder={condition[key]?.length ? '' : t('engine.rules.any')}
            data={options?.seen[key] ?? []}
            value={condition[key] ?? []}
            onChange={(value) => when({ [key]: value })}
          />
        ))}
        <MultiSelect
          label={t('engine.rules.field.weekdays')}
          placeholder={condition.weekdays?.length ? '' : t('engine.rules.any')}
          data={options?.weekdays.map((d) => ({ value: d.id, label: d.title })) ?? []}
          value={condition.weekdays ?? []}
          onChange={(value) => when({ weekdays: value })}
        />
        <HoursInput
          label={t('engine.rules.field.hours')}
          value={condition.hours ?? null}
          onChange={(hours) => when({ hours })}
        />
        <Group grow gap="xs" align="flex-end">
          <NumberInput
            label={t('engine.rules.field.age_years')}
            placeholder={t('engine.rules.from')}
            min={0}
            value={age.min ?? ''}
            onChange={(value) => when({ age_years: ages(value, age.max) })}
          />
          <NumberInput
            aria-label={t('engine.rules.to')}
            placeholder={t('engine.rules.to')}
            min={0}
            value={age.max ?? ''}
            onChange={(value) => when({ age_years: ages(age.min, value) })}
          />
        </Group>
      </SimpleGrid>
      <Text size="sm" fw={600} mb={4}>
        {t('engine.rules.then')}
      </Text>
      <Group align="flex-end">
        <SegmentedControl
          aria-label={t('engine.rules.then')}
          value={action.run === false ? 'skip' : 'run'}
          data={[
            { value: 'run', label: t('engine.rules.run') },
            { value: 'skip', label: t('engine.rules.not_run') },
          ]}
          onChange={(value) => then({ run: value === 'run' })}
        />
        {action.run !== false && (
          <SegmentedControl
            aria-label={t('engine.queue.priority')}
            value={action.priority ?? 'routine'}
            data={options?.priorities.map((p) => ({ value: p.id, label: p.title })) ?? []}
            onChange={(value) => then({ priority: value as Priority })}
          />
        )}
        {action.run !== false && action.priority === 'off-peak' && (
          <HoursInput
            label={t('engine.rules.window')}
            value={action.window ?? null}
            onChange={(window) => then({ window })}
          />
        )}
        {action.run !== false &&
          chosen.flatMap((each) =>
            each.thresholds.map((threshold) => (
              <NumberInput
                key={`${each.id}/${threshold.id}`}
                label={threshold.title}
                description={threshold.bounds.join(' – ')}
                placeholder={String(threshold.default)}
                value={action.thresholds?.[threshold.id] ?? ''}
                onChange={(value) => {
                  const { [threshold.id]: _, ...others } = action.thresholds ?? {};
                  then({
                    thresholds:
                      typeof value === 'number' ? { ...others, [threshold.id]: value } : others,
                  });
                }}
              />
            )),
          )}
      </Group>
    </div>
  );
}

function ages(min: number | string | null, max: number | string | null) {
  const number = (value: number | string | null) => (typeof value === 'number' ? value : null);
  const found = { min: number(min), max: number(max) };
  return found.min === null && found.max === null ? null : found;
}

interface HoursProperties {
  label: string;
  value: Hours | null;
  onChange: (value: Hours | null) => void;
}

function HoursInput({ label, value, onChange }: HoursProperties) {
  const { t } = useTranslation();
  const change = (from: string, to: string) => onChange(from || to ? { from, to } : null);
  return (
    <Group grow gap="xs" align="flex-end">
      <TextInput
        type="time"
        label={label}
        value={value?.from ?? ''}
        onChange={(event) => change(event.currentTarget.value, value?.to ?? '')}
      />
      <TextInput
        type="time"
        aria-label={t('engine.rules.to')}
        value={value?.to ?? ''}
        onChange={(event) => change(value?.from ?? '', event.currentTarget.value)}
      />
    </Group>
  );
}
