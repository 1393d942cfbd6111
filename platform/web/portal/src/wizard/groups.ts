/** The order in which questions are asked, by what they are about. */
import type { Question } from '../../../shared/models';

const GROUPS: Record<string, string[]> = {
  name: ['id', 'version', 'title_en', 'title_vi', 'summary_en', 'summary_vi', 'status'],
  licence: ['licence', 'licence_text', 'url', 'owners', 'references'],
  images: ['modality', 'body_part', 'max_slice_spacing_mm', 'min_slices'],
  network: [
    'dimensions',
    'orientation',
    'spacing_mm',
    'shape',
    'fit',
    'tile',
    'overlap',
    'intensity',
    'channels',
  ],
  output: ['kind', 'form', 'output_channels', 'activation', 'labels'],
  data: ['trained_on', 'limits'],
  running: ['ram_gib', 'vram_gib', 'timeout_s'],
};

export interface QuestionGroup {
  id: string;
  questions: Question[];
}

/** Questions that are shown, in groups; groups without one are left out. */
export function grouped(questions: Question[], shown: (id: string) => boolean): QuestionGroup[] {
  const known = new Set(Object.values(GROUPS).flat());
  const other = questions.map((q) => q.id).filter((id) => !known.has(id));
  return Object.entries({ ...GROUPS, other })
    .map(([id, ids]) => ({
      id,
      questions: questions.filter((q) => ids.includes(q.id) && shown(q.id)),
    }))
    .filter((group) => group.questions.length > 0);
}
