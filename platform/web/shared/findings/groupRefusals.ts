/** Refusals as people read them: one reason once, with everything it stops. */
import type { RefusalItem } from '../types';

export interface RefusalGroup {
  key: string;
  code: string;
  text: string;
  package: string;
  subjects: string[];
}

export function groupRefusals(refusals: RefusalItem[]): RefusalGroup[] {
  const groups = new Map<string, RefusalGroup>();
  for (const refusal of refusals) {
    const key = [refusal.package ?? '', refusal.code, refusal.text].join('\n');
    const group = groups.get(key) ?? {
      key,
      code: refusal.code,
      text: refusal.text,
      package: refusal.package ?? '',
      subjects: [],
    };
    if (refusal.subject_title && !group.subjects.includes(refusal.subject_title)) {
      group.subjects.push(refusal.subject_title);
    }
    groups.set(key, group);
  }
  return [...groups.values()];
}
