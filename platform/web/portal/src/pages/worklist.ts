/** What the worklist is asked for: kept in the address, so that it can be shared and gone back to. */
import type { AIState } from '../../../shared/types';

export const MODALITIES = ['CT', 'MR', 'DX', 'CR', 'MG', 'US', 'PT', 'NM', 'XA', 'SEG', 'SR'];
export const AI_STATES: AIState[] = [
  'waiting',
  'running',
  'ready',
  'reviewed',
  'refused',
  'failed',
  'none',
];
export const PAGE_SIZE = 50;

export type Period = 'today' | 'week' | 'all';

export interface Filters {
  search: string;
  modality: string;
  ai: string;
  date_from: string;
  date_to: string;
  page: number;
}

export function readFilters(parameters: URLSearchParams): Filters {
  const text = (name: string) => parameters.get(name) ?? '';
  return {
    search: text('search'),
    modality: text('modality'),
    ai: text('ai'),
    date_from: text('date_from'),
    date_to: text('date_to'),
    page: Math.max(1, Number(parameters.get('page')) || 1),
  };
}

export function writeFilters(filters: Filters): URLSearchParams {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(filters)) {
    if (value !== '' && !(name === 'page' && value === 1)) parameters.set(name, String(value));
  }
  return parameters;
}

export function queryOf(filters: Filters): string {
  const { page, ...rest } = filters;
  const parameters = new URLSearchParams(
    Object.entries(rest).filter((entry): entry is [string, string] => entry[1] !== ''),
  );
  parameters.set('limit', String(PAGE_SIZE));
  parameters.set('offset', String((page - 1) * PAGE_SIZE));
  return parameters.toString();
}

export function isFiltered(filters: Filters): boolean {
  const { page: _page, ...rest } = filters;
  return Object.values(rest).some((value) => value !== '');
}

/** Local day as `YYYY-MM-DD`, `back` days ago. */
export function day(back: number, now = new Date()): string {
  const then = new Date(now.getFullYear(), now.getMonth(), now.getDate() - back);
  const two = (n: number) => String(n).padStart(2, '0');
  return `${then.getFullYear()}-${two(then.getMonth() + 1)}-${two(then.getDate())}`;
}

export function periodOf(filters: Filters): Period | '' {
  if (!filters.date_from && !filters.date_to) return 'all';
  if (filters.date_to) return '';
  if (filters.date_from === day(0)) return 'today';
  return filters.date_from === day(6) ? 'week' : '';
}
