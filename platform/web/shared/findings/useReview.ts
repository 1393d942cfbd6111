/** Which finding is in hand and what is being done with it; shared by viewer and phone page. */
import { useState } from 'react';

import { isLoggedOut, goToLogin } from '../api';
import type { FindingItem } from '../types';
import type { CardMode } from './FindingCard';
import { useDecide } from './useFindings';
import type { Decision } from './useFindings';

export function useReview(studyUID: string, findings: FindingItem[]) {
  const [activeID, setActiveID] = useState<string | null>(null);
  const [mode, setMode] = useState<CardMode>('read');
  const decide = useDecide(studyUID);
  const index = findings.findIndex((f) => f.id === activeID);

  const select = (finding: FindingItem) => {
    setActiveID(finding.id);
    setMode('read');
    decide.reset();
  };
  const step = (by: 1 | -1): FindingItem | null => {
    const next =
      findings[(Math.max(index, by === 1 ? -1 : 0) + by + findings.length) % findings.length];
    if (next) select(next);
    return next ?? null;
  };
  const send = (finding: FindingItem, decision: Decision) => {
    setActiveID(finding.id);
    decide.mutate(
      { finding, decision },
      {
        onSuccess: () => setMode('read'),
        onError: (error) => {
          if (isLoggedOut(error)) goToLogin();
        },
      },
    );
  };
  const errorOf = (finding: FindingItem) =>
    decide.isError && decide.variables.finding.id === finding.id ? decide.error.message : '';
  return {
    active: findings[index] ?? null,
    mode,
    busy: decide.isPending,
    select,
    step,
    send,
    errorOf,
    setMode: (finding: FindingItem, next: CardMode) => {
      setActiveID(finding.id);
      setMode(next);
    },
  };
}
