/** Answers of the engine: queue and site rules. */

import type { JobState, RefusalItem } from './types';

export type Priority = 'interactive' | 'stat' | 'routine' | 'off-peak';
export type Lane = 'active' | 'pilot' | 'shadow';

export interface QueueEntry {
  id: string;
  study_uid: string;
  study: {
    patient_name: string;
    patient_id: string;
    description: string;
    modalities: string[];
    date: string;
  } | null;
  package: string;
  title: string;
  version: string;
  function: string;
  lane: Lane;
  priority: number;
  priority_name: Priority;
  priority_title: string;
  state: JobState;
  state_title: string;
  reason: string;
  position: number | null;
  age_s: number;
  created_at: string;
  not_before: string;
  fraction: number;
  step: string;
  attempts: number;
  requested_by: string;
  held_by: string | null;
  held_until: string | null;
  cancellable: boolean;
  retryable: boolean;
}

export interface Hour {
  from: string;
  done: number;
  refused: number;
  failed: number;
  cancelled: number;
}

export interface Queue {
  at: string;
  counts: { running: number; waiting: number; delayed: number; claimed: number };
  running: QueueEntry[];
  waiting: QueueEntry[];
  by_priority: {
    priority: number;
    name: Priority;
    title: string;
    running: number;
    waiting: number;
    oldest_s: number;
  }[];
  ended: QueueEntry[];
  rates: { per_hour: number; studies_per_hour: number; hours: Hour[] };
  durations: { stage: string; title: string; jobs: number; p50_s: number; p95_s: number }[];
}

export interface Hours {
  from: string;
  to: string;
}

export interface RuleCondition {
  package?: string[];
  source?: string[];
  modality?: string[];
  body_part?: string[];
  station?: string[];
  manufacturer?: string[];
  series_description?: string[];
  study_description?: string[];
  age_years?: { min: number | null; max: number | null } | null;
  weekdays?: string[];
  hours?: Hours | null;
}

export interface RuleAction {
  run?: boolean;
  priority?: Priority;
  window?: Hours | null;
  lane?: Lane | null;
  thresholds?: Record<string, number>;
}

export interface Rule {
  name: string;
  enabled: boolean;
  note: string;
  condition: RuleCondition;
  action: RuleAction;
  text?: string | undefined;
}

export interface RuleList {
  revision: number;
  changed_at: string | null;
  changed_by: string;
  time_zone: string;
  rules: Rule[];
}

export interface RuleOptions {
  packages: {
    id: string;
    title: string;
    enabled: boolean;
    model: boolean;
    thresholds: { id: string; title: string; default: number; bounds: [number, number] }[];
  }[];
  priorities: { id: Priority; title: string }[];
  lanes: { id: Lane; title: string }[];
  weekdays: { id: string; title: string }[];
  seen: Record<string, string[]>;
}

export type Outcome = 'run' | 'refused' | 'skipped';

export interface TestedPackage {
  package: string;
  title: string;
  version: string;
  outcome: Outcome;
  reason: string;
  rule: { position: number; name: string } | null;
  priority: string;
  not_before: string;
  lane: Lane;
  thresholds: Record<string, number>;
  series: {
    input: string;
    number: number | null;
    description: string;
    modality: string;
    state: string;
  }[];
  refusals: RefusalItem[];
  happened: { job: string; state: string; outcome: Outcome } | null;
  changes: { what: string; before: string; after: string; text: string }[];
}

export interface RuleTest {
  proposed: { rules: boolean; thresholds: boolean; packages: boolean };
  elapsed_s: number;
  summary: { studies: number; run: number; refused: number; skipped: number; different: number };
  rules: { position: number; name: string; decided: number }[];
  studies: {
    study_uid: string;
    at: string;
    study_date: string;
    description: string;
    modalities: string[];
    sources: string[];
    packages: TestedPackage[];
  }[];
}

export interface DeviceItem {
  id: string;
  kind: 'cpu' | 'cuda';
  title: string;
  total_mib: number;
  free_mib: number;
  budget_mib: number;
  utilisation_percent: number | null;
  /** Of the device's host; null while no job has used the device, and for processors. */
  leases: {
    leased_mib: number;
    running: number;
    waiting: { mib: number; waited_s: number; priority: number }[];
    finished: number;
  } | null;
  residents: {
    model: string;
    title: string;
    version: string;
    mib: number;
    idle_s: number;
    process: number | null;
  }[];
}

export interface Devices {
  at: string;
  devices: DeviceItem[];
  running: {
    job: string;
    package: string;
    title: string;
    version: string;
    lane: Lane;
    since: string | null;
    cpu: number | null;
    ram_mib: number | null;
  }[];
  waiting: number;
}
