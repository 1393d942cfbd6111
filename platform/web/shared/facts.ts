/** The facts of a model or a package: what it is, how it is judged, how it is used. */
import type { Lane } from './engine';

export interface Estimate {
  value: number | null;
  low: number | null;
  high: number | null;
  n: number;
}

export type ModelState = 'registered' | 'validated' | 'shadow' | 'pilot' | 'active' | 'retired';

export interface Decided {
  decided: number;
  accepted: number;
  edited: number;
  rejected: number;
}

export interface Agreement extends Decided {
  waiting: number;
  rates: Record<'accepted' | 'edited' | 'rejected', Partial<Estimate>>;
  reasons: { reason: string; text: string; count: number }[];
  by_version: ({ version: string } & Decided)[];
  by_finding: ({ label: string; title: string } & Decided)[];
  over_time: ({ from: string; to: string } & Decided)[];
  values: {
    measurement: string;
    title: string;
    unit: string;
    n: number;
    bias: number;
    sd: number;
    low: number;
    high: number;
    points: { ai: number; reader: number }[];
  }[];
}

export interface DriftFeature {
  feature: string;
  title: string;
  unit: string;
  kind: 'number' | 'category';
  psi: number;
  level: 'none' | 'moderate' | 'large';
  bins: { label: string; reference: number; recent: number }[];
}

interface Period {
  n: number;
  from: string;
  to: string;
}

export interface Drift {
  enough: boolean;
  needed: number;
  reference: Period;
  recent: Period;
  inputs: DriftFeature[];
  outputs: DriftFeature[];
  refusals: {
    reference: Partial<Estimate>;
    recent: Partial<Estimate>;
    by_code: { code: string; count: number }[];
  };
}

export interface LabelReport {
  id: string;
  title: Record<string, string>;
  cases: number;
  missed: number;
  false: number;
  dice: Estimate;
  hd95_mm: Estimate;
  volume: {
    n: number;
    bias: number;
    low: number;
    high: number;
    points: [number, number][];
    unit: string;
  };
  groups: Record<string, { group: string; n: number; dice?: Partial<Estimate> }[]>;
}

export interface ClassReport {
  id: string;
  title: Record<string, string>;
  positives: number;
  negatives: number;
  auroc: { value: number | null; delong: [number, number] };
  roc: [number, number, number | null][];
  at_threshold: {
    threshold: number;
    sensitivity: Partial<Estimate>;
    specificity: Partial<Estimate>;
  };
  calibration: {
    n: number;
    brier: number;
    ece: number;
    bins: { predicted: number; observed: Partial<Estimate> }[];
  };
}

export interface ValidationReport {
  version: string;
  set: { name: string; cases: number };
  labels: LabelReport[];
  classes: ClassReport[];
}

export interface Facts {
  kind: 'model' | 'package';
  id: string;
  version: string;
  title: string;
  lane: Lane | null;
  state: ModelState | string;
  versions: { version: string; state: ModelState; lane: Lane | null }[];
  identity: {
    digest: string;
    weights_sha256: string | null;
    weights_bytes: number | null;
    runner: string | null;
    runtime: string | null;
    owners: string[];
    distribution: string;
    quality: string;
    installed_at: string | null;
    installed_by: string | null;
  };
  intended_use: {
    text: string;
    status: string;
    status_text: string;
    jurisdictions: string[];
    inputs: {
      name: string;
      modality: string[];
      body_part: string[];
      optional: boolean;
      rules: string[];
    }[];
    outputs: { id: string; kind: string; title: string; unit: string; method: string }[];
    models: string[];
  };
  warnings: { contraindications: string[]; limits: string[]; trained_on: string };
  mechanism: {
    text: string;
    labels: { id: string; title: string; value: number }[] | null;
    resources: {
      cpu: number;
      ram_gib: number;
      vram_gib: number;
      precision: string[] | null;
      timeout_s: number;
    };
    card: { name: string; markdown: string } | null;
  };
  training_data: { text: string };
  evidence: {
    tests:
      | { set: string; n: number; metric: string; mean: number; ci: number[]; label: string }[]
      | null;
    reference_case: { at: string; result: Record<string, unknown> } | null;
  };
  local_validation: {
    reports: { digest: string; version: string; set: string; cases: number; at: string }[];
    latest: ValidationReport | null;
  } | null;
  agreement: Agreement;
  drift: Drift;
  thresholds: {
    id: string;
    title: string;
    value: number;
    default: number;
    bounds: [number, number];
  }[];
  licence: { spdx: string; text: string; accepted_by: string | null; accepted_at: string | null };
  certificates: {
    issuer: string;
    number: string;
    scope: string;
    version: string;
    valid_until: string;
    state: string;
  }[];
  maintenance: {
    history:
      | {
          at: string;
          version: string;
          action: string;
          from: string;
          to: string;
          reason: string;
          by: string;
        }[]
      | null;
  };
}

export interface Rerun {
  id: number;
  model: string;
  version: string;
  by: string;
  at: string;
  state: 'running' | 'done' | 'cancelled';
  studies: number;
  jobs: Record<
    'waiting' | 'running' | 'done' | 'refused' | 'failed' | 'cancelled' | 'same',
    number
  >;
}

export interface ComparedFinding {
  change: 'matched' | 'only_from' | 'only_to';
  label: string;
  title: string;
  from: string | null;
  to: string | null;
  dice: number | null;
  distance_mm: number | null;
  values: {
    measurement: string;
    title: string;
    unit: string;
    from: number;
    to: number;
    difference: number;
    percent: number | null;
  }[];
}

export interface Difference {
  from: string;
  to: string;
  studies_compared: number;
  summary: {
    matched: number;
    only_from: number;
    only_to: number;
    agreement: Partial<Estimate>;
    dice: Partial<Estimate>;
    values: {
      measurement: string;
      title: string;
      unit: string;
      n: number;
      bias: number;
      low: number;
      high: number;
      points: { from: number; to: number }[];
    }[];
    refused_from: number;
    refused_to: number;
  };
  total: number;
  studies: { study_uid: string; findings: ComparedFinding[] }[];
}
