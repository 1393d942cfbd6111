import { Button, Group, Kbd, SegmentedControl, Select, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { IconSearch, IconX } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import type { RefObject } from 'react';
import { useTranslation } from 'react-i18next';

import { AI_STATES, MODALITIES, day, isFiltered, periodOf } from '../pages/worklist';
import type { Filters, Period } from '../pages/worklist';

interface Properties {
  filters: Filters;
  search: RefObject<HTMLInputElement | null>;
  onChange: (change: Partial<Filters>) => void;
}

const FROM: Record<Period, () => string> = {
  today: () => day(0),
  week: () => day(6),
  all: () => '',
};

export function WorklistFilters({ filters, search, onChange }: Properties) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState(filters.search);
  const send = useDebouncedCallback((value: string) => onChange({ search: value.trim() }), 200);
  useEffect(() => {
    if (filters.search === '') setTyped('');
  }, [filters.search]);
  return (
    <Group gap="sm" mb="sm" role="search" align="flex-end">
      <TextInput
        ref={search}
        flex="1 1 260px"
        aria-label={t('portal.worklist.search')}
        placeholder={t('portal.worklist.search')}
        leftSection={<IconSearch size={16} />}
        rightSection={
          typed ? undefined : (
            <Kbd size="xs" visibleFrom="sm">
              /
            </Kbd>
          )
        }
        value={typed}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          send(event.currentTarget.value);
        }}
      />
      <SegmentedControl
        aria-label={t('portal.worklist.period.label')}
        value={periodOf(filters)}
        data={(['today', 'week', 'all'] as const).map((value) => ({
          value,
          label: t(`portal.worklist.period.${value}`),
        }))}
        onChange={(value) => onChange({ date_from: FROM[value as Period](), date_to: '' })}
      />
      <Group gap={4} wrap="nowrap" visibleFrom="sm">
        <TextInput
          type="date"
          w={140}
          aria-label={t('portal.worklist.date_from')}
          value={filters.date_from}
          onChange={(event) => onChange({ date_from: event.currentTarget.value })}
        />
        –
        <TextInput
          type="date"
          w={140}
          aria-label={t('portal.worklist.date_to')}
          value={filters.date_to}
          onChange={(event) => onChange({ date_to: event.currentTarget.value })}
        />
      </Group>
      <Select
        w={120}
        clearable
        searchable
        aria-label={t('portal.worklist.modality')}
        placeholder={t('portal.worklist.modality')}
        data={MODALITIES}
        value={filters.modality || null}
        onChange={(value) => onChange({ modality: value ?? '' })}
      />
      <Select
        w={180}
        clearable
        aria-label={t('portal.worklist.ai')}
        placeholder={t('portal.worklist.ai')}
        data={AI_STATES.map((value) => ({ value, label: t(`portal.ai.state.${value}`) }))}
        value={filters.ai || null}
        onChange={(value) => onChange({ ai: value ?? '' })}
      />
      {isFiltered(filters) && (
        <Button
          variant="subtle"
          color="gray"
          leftSection={<IconX size={14} />}
          onClick={() => onChange({ search: '', modality: '', ai: '', date_from: '', date_to: '' })}
        >
          {t('portal.worklist.clear')}
        </Button>
      )}
    </Group>
  );
}
