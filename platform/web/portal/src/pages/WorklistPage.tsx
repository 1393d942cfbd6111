import { Group, Pagination, Skeleton, Stack, Text, Title } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useNavigate, useSearchParams } from 'react-router';

import { api } from '../../../shared/api';
import type { StudyItem } from '../../../shared/types';
import { EmptyWorklist } from '../parts/EmptyWorklist';
import { Failure } from '../parts/Failure';
import { StudyRow } from '../parts/StudyRow';
import { WorklistFilters } from '../parts/WorklistFilters';
import { PAGE_SIZE, isFiltered, queryOf, readFilters, writeFilters } from './worklist';
import type { Filters } from './worklist';

const NOTHING: StudyItem[] = [];

export function WorklistPage() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const [parameters, setParameters] = useSearchParams();
  const filters = readFilters(parameters);
  const [selected, setSelected] = useState(-1);
  const search = useRef<HTMLInputElement>(null);
  const answer = useQuery({
    queryKey: ['studies', queryOf(filters)],
    queryFn: () => api.get<{ total: number; studies: StudyItem[] }>(`/studies?${queryOf(filters)}`),
    placeholderData: keepPreviousData,
    refetchInterval: 60_000,
  });
  const studies = answer.data?.studies ?? NOTHING;
  const change = (part: Partial<Filters>) => {
    setSelected(-1);
    setParameters(writeFilters({ ...filters, page: 1, ...part }), { replace: true });
  };
  const open = (viewer: boolean) => {
    const study = studies[Math.max(selected, 0)];
    if (!study) return;
    if (viewer) window.location.assign(`/viewer?StudyInstanceUIDs=${study.study_uid}`);
    else void navigate(`/studies/${study.study_uid}`);
  };
  useHotkeys(
    [
      ['/', () => search.current?.focus()],
      ['ArrowDown', () => setSelected(Math.min(selected + 1, studies.length - 1))],
      ['ArrowUp', () => setSelected(Math.max(selected - 1, 0))],
      ['Enter', () => open(false)],
      ['v', () => document.activeElement !== search.current && open(true)],
      ['Escape', () => search.current?.blur()],
    ],
    ['TEXTAREA', 'SELECT'],
  );
  const pages = Math.ceil((answer.data?.total ?? 0) / PAGE_SIZE);
  return (
    <>
      <Group justify="space-between" mb="sm" align="baseline">
        <Title order={1} size="h3">
          {t('portal.worklist.title')}
        </Title>
        <Text size="sm" c="dimmed" aria-live="polite">
          {answer.data && t('portal.worklist.total', { total: answer.data.total })}
        </Text>
      </Group>
      <WorklistFilters filters={filters} search={search} onChange={change} />
      {answer.isError && <Failure error={answer.error} onRetry={() => void answer.refetch()} />}
      <section className="en-card" aria-label={t('portal.worklist.title')}>
        {studies.length > 0 && (
          <div className="en-row en-row-head" aria-hidden="true">
            <span>{t('portal.column.patient')}</span>
            <span>{t('portal.column.study')}</span>
            <span>{t('portal.column.date')}</span>
            <span>{t('portal.column.accession')}</span>
            <span>{t('portal.column.ai')}</span>
            <span />
          </div>
        )}
        {answer.isPending && (
          <Stack p="md" aria-label={t('portal.loading')}>
            {Array.from({ length: 6 }, (_, index) => (
              <Skeleton key={index} h={42} />
            ))}
          </Stack>
        )}
        {studies.map((study, index) => (
          <StudyRow key={study.study_uid} study={study} selected={index === selected} />
        ))}
        {answer.isSuccess && studies.length === 0 && (
          <EmptyWorklist
            filtered={isFiltered(filters)}
            onClear={() => change({ search: '', modality: '', ai: '', date_from: '', date_to: '' })}
          />
        )}
      </section>
      {pages > 1 && (
        <Group justify="center" mt="md">
          <Pagination
            total={pages}
            value={filters.page}
            onChange={(page) => change({ page })}
            getControlProps={(control) => ({ 'aria-label': t(`portal.page.${control}`) })}
          />
        </Group>
      )}
      <Text size="xs" c="dimmed" mt="sm" visibleFrom="md">
        {t('portal.worklist.keys')}
      </Text>
    </>
  );
}
