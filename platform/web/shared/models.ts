/** Models found and installed, and drafts of new ones. */
import type { ModelState } from './facts';

export interface ModelLabel {
  id: string;
  value: number;
  title: string;
  colour: [number, number, number];
}

export interface ModelVersion {
  version: string;
  state: ModelState | null;
  installed: boolean;
  digest: string;
  error: string | null;
  title: string;
  runner: string | null;
  licence: string | null;
  intended_use?: { text: string; status: string; trained_on: string };
  modality?: string[];
  body_part?: string[];
  kind?: string;
  labels?: ModelLabel[];
  source?: string | null;
  weights?: { sha256: string; size_bytes: number; url: string | null; present: boolean } | null;
  licence_text?: string;
  code?: string[] | null;
}

export interface ModelItem {
  id: string;
  title: string;
  active: string | null;
  versions: ModelVersion[];
}

export interface TensorShape {
  name: string;
  dtype: string;
  shape: (number | string)[];
}

export type QuestionKind =
  'text' | 'long' | 'number' | 'numbers' | 'list' | 'choice' | 'labels' | 'channels';

export interface Question {
  id: string;
  kind: QuestionKind;
  required: boolean;
  answered: boolean;
  value: unknown;
  choices: string[];
  text: string;
  why: string;
}

export interface DraftLabel {
  value: number;
  id?: string;
  title_en?: string;
  title_vi?: string;
  type?: string;
  category?: string;
  laterality?: string;
  threshold?: number;
}

export interface Draft {
  id: string;
  name: string;
  created_at: string;
  created_by: string;
  runner: string;
  inputs: TensorShape[];
  outputs: TensorShape[];
  facts: string[];
  questions: Question[];
  open: string[];
  problem: string | null;
  answers: Record<string, unknown>;
  sample: string | null;
}

export interface FoundCode {
  text: string;
  meaning: string;
  category: string;
}
