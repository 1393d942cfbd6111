/** Answers of the Ennead API. */

export type FindingState = 'proposed' | 'accepted' | 'edited' | 'rejected';
export type AIState = 'none' | 'waiting' | 'running' | 'ready' | 'reviewed' | 'refused' | 'failed';
export type JobState =
  'waiting' | 'running' | 'done' | 'refused' | 'failed' | 'superseded' | 'cancelled';

export interface Session {
  name: string;
  display_name: string;
  roles: string[];
  permissions: string[];
  csrf_token: string;
}

export interface StudyItem {
  study_uid: string;
  patient_name: string;
  patient_id: string;
  patient_sex: string;
  patient_birth_date: string;
  study_date: string;
  study_time: string;
  description: string;
  modalities: string[];
  accession_number: string;
  series_count: number;
  instance_count: number;
  received_at: string;
  ai: {
    state: AIState;
    urgent: boolean;
    findings: number;
    accepted: number;
    rejected: number;
  };
}

export interface SeriesItem {
  series_uid: string;
  modality: string;
  number: number | null;
  description: string;
  instance_count: number;
  package: string | null;
  thumbnail: string;
}

export interface Study extends StudyItem {
  series: SeriesItem[];
}

export interface TimelineEvent {
  at: string;
  step: string;
  package: string | null;
  state: 'ok' | 'refused' | 'failed' | 'running';
  text: string;
  duration_s: number | null;
  links: { label: string; href: string }[];
}

export interface RefusalItem {
  code: string;
  subject: string;
  subject_title: string;
  text: string;
  series_uid: string | null;
  package?: string;
}

export interface Job {
  id: string;
  package: string;
  title: string;
  version: string;
  state: JobState;
  reason: string;
  refusals: RefusalItem[];
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  fraction: number;
  step: string;
  attempts: number;
}

export interface MeasurementItem {
  id: string;
  title: string;
  value: number;
  shown: string;
  unit: string;
  method: string;
  formula: string;
  reference: string;
  plausible: [number, number] | null;
  outside_plausible: boolean;
  ai_value: number | null;
}

export interface SegmentItem {
  id: string;
  number: number;
  title: string;
  colour: [number, number, number];
  seg_instance_uid: string;
  seg_series_uid: string;
}

export interface FindingItem {
  id: string;
  package: string;
  version: string;
  label: string;
  title: string;
  state: FindingState;
  unverified: boolean;
  urgent: boolean;
  revision: number;
  series_uid: string;
  key_image: { instance_uid: string; series_uid: string; point_mm: number[] | null } | null;
  segments: SegmentItem[];
  measurements: MeasurementItem[];
  qualifiers: { code: string; text: string }[];
  decision: {
    state: FindingState;
    by: string;
    at: string;
    reason: string;
    comment: string;
  } | null;
}

export interface Findings {
  study_uid: string;
  findings: FindingItem[];
  refusals: RefusalItem[];
  intended_use: Record<string, { status: string; text: string }>;
}

export interface PackageItem {
  id: string;
  title: string;
  version: string;
  quality: string;
  licence: string;
  enabled: boolean;
  error: string | null;
  distribution: string;
  intended_use: {
    text: string;
    status: string;
    contraindications: string[];
    trained_on: string;
  } | null;
  inputs: {
    name: string;
    modality: string[];
    body_part: string[];
    optional: boolean;
    rules: string[];
  }[];
  outputs: {
    id: string;
    kind: string;
    title: string;
    unit: string;
    method: string;
    reference: string;
  }[];
  refusals: { code: string; text: string }[];
  jobs: { done: number; refused: number; failed: number; running: number };
}

export const REJECT_REASONS = [
  'false-positive',
  'wrong-site',
  'wrong-size',
  'duplicate',
  'known',
  'poor-quality',
  'other',
] as const;
export type RejectReason = (typeof REJECT_REASONS)[number];
