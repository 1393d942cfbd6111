/** The network's labels: names in both languages, and the code that DICOM needs. */
import {
  ActionIcon,
  Button,
  Group,
  NumberInput,
  Select,
  SimpleGrid,
  Text,
  TextInput,
} from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { api } from '../../../shared/api';
import type { DraftLabel, FoundCode } from '../../../shared/models';

interface Properties {
  title: string;
  help: string;
  labels: DraftLabel[];
  scored: boolean;
  onChange: (labels: DraftLabel[]) => void;
}

export function Labels({ title, help, labels, scored, onChange }: Properties) {
  const { t } = useTranslation();
  const change = (n: number, changed: Partial<DraftLabel>) =>
    onChange(labels.map((label, k) => (k === n ? { ...label, ...changed } : label)));
  const next = Math.max(0, ...labels.map((label) => label.value)) + 1;
  return (
    <div>
      <Text size="sm" fw={500}>
        {title}
      </Text>
      <Text size="xs" c="dimmed">
        {help}
      </Text>
      {labels.map((label, n) => (
        <div key={label.value} className="en-output">
          <Group justify="space-between">
            <Text size="sm" fw={600}>
              {t('engine.wizard.label', { value: label.value })}
            </Text>
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label={t('engine.wizard.remove_label')}
              onClick={() => onChange(labels.filter((_, k) => k !== n))}
            >
              <IconTrash size={16} />
            </ActionIcon>
          </Group>
          <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="xs">
            <TextInput
              label={t('models.ask.name_en')}
              value={label.title_en ?? ''}
              onChange={(event) => change(n, { title_en: event.currentTarget.value })}
            />
            <TextInput
              label={t('models.ask.name_vi')}
              value={label.title_vi ?? ''}
              onChange={(event) => change(n, { title_vi: event.currentTarget.value })}
            />
            <Code
              key={label.value}
              words={label.title_en ?? ''}
              code={label.type ?? ''}
              onChange={(type, category) => change(n, { type, category })}
            />
            <Select
              label={t('engine.wizard.side')}
              value={side(label.laterality)}
              data={['none', 'left', 'right'].map((value) => ({
                value,
                label: t(`engine.wizard.sides.${value}`),
              }))}
              onChange={(value) => change(n, { laterality: value === 'none' ? '' : (value ?? '') })}
            />
            {scored && (
              <NumberInput
                label={t('models.ask.threshold')}
                min={0}
                max={1}
                step={0.05}
                value={label.threshold ?? 0.5}
                onChange={(value) => typeof value === 'number' && change(n, { threshold: value })}
              />
            )}
          </SimpleGrid>
        </div>
      ))}
      <Button
        size="xs"
        variant="light"
        mt="xs"
        onClick={() => onChange([...labels, { value: next }])}
      >
        {t('engine.wizard.add_label')}
      </Button>
    </div>
  );
}

function side(laterality: string | undefined): string {
  const words = (laterality ?? '').toLowerCase();
  return words.includes('left') ? 'left' : words.includes('right') ? 'right' : 'none';
}

interface CodeProperties {
  words: string;
  code: string;
  onChange: (type: string, category: string) => void;
}

function Code({ words, code, onChange }: CodeProperties) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState(code || words);
  const [wanted] = useDebouncedValue(typed.replace(/^SCT:\d+ /, ''), 250);
  const answer = useQuery({
    queryKey: ['codes', wanted],
    queryFn: () =>
      api.get<{ codes: FoundCode[] }>(`/models/codes?words=${encodeURIComponent(wanted)}`),
    enabled: wanted.trim() !== '',
    staleTime: Infinity,
  });
  const found = answer.data?.codes ?? [];
  const data = [...new Set([...(code ? [code] : []), ...found.map((each) => each.text)])];
  return (
    <Select
      searchable
      label={t('engine.wizard.code')}
      placeholder={t('engine.wizard.code_search')}
      nothingFoundMessage={t('models.ask.no_code')}
      data={data}
      filter={({ options }) => options}
      value={code || null}
      searchValue={typed}
      onSearchChange={setTyped}
      onChange={(text) => {
        const chosen = found.find((each) => each.text === text);
        if (chosen) onChange(chosen.text, chosen.category);
      }}
    />
  );
}
