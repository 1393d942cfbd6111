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
    held?: Partial<Record<'pilot' | 'shadow', number>>;
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
  lane?: 'active' | 'pilot' | 'shadow';
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
  lane?: 'active' | 'pilot' | 'shadow';
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

export interface Certificate {
  id: number;
  issuer: string;
  number: string;
  scope: string;
  package_version: string;
  valid_from: string;
  valid_until: string;
  state: 'valid' | 'not_yet' | 'expired' | 'other_version' | 'withdrawn';
  text: string;
  statement: string;
}

export interface Threshold {
  id: string;
  title: string;
  default: number;
  bounds: [number, number];
  value: number;
  site_value: number | null;
  inside: boolean;
  changed_at: string | null;
  changed_by: string;
}

export interface PackageNotes {
  licence: string;
  dependencies: { kind: string; id: string; needs: string; present: boolean; text: string }[];
  may: string[];
  may_not: string[];
}

export type InputKind =
  'point' | 'points' | 'line' | 'roi' | 'contour' | 'seed' | 'mask' | 'number' | 'choice';

export interface FunctionInput {
  name: string;
  kind: InputKind;
  title: string;
  optional: boolean;
  default: number | string | null;
  count_min?: number;
  count_max?: number;
  unit?: string;
  min?: number | null;
  max?: number | null;
  choices?: { value: string; title: string }[];
  shapes?: ('ellipse' | 'rectangle')[];
}

export interface FunctionItem {
  package: string;
  package_title: string;
  id: string;
  title: string;
  help: string;
  timeout_s: number;
  outputs: string[];
  inputs: FunctionInput[];
  candidates: {
    series_uid: string;
    number: number | null;
    description: string;
    fits: boolean;
    reasons: string[];
  }[];
}

export interface Functions {
  study_uid: string;
  functions: FunctionItem[];
}

export interface CallAnswer {
  job: string;
  state: 'storing' | 'done' | 'refused' | 'failed';
  findings: FindingItem[];
  refusals: RefusalItem[];
  duration_ms: number;
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
  lane?: 'active' | 'pilot' | 'shadow' | null;
  model?: boolean;
  notes: PackageNotes | null;
  certificates: Certificate[];
  isolation?: { state: string; missing: string[]; text: string };
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
