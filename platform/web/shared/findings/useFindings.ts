/** The findings of a study, and what a reader decides about them. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';

import { APIError, api } from '../api';
import type { FindingItem, Findings, RejectReason } from '../types';

export type Decision =
  | { kind: 'accept' }
  | { kind: 'edit'; values: Record<string, number>; reason: string }
  | { kind: 'reject'; reason: RejectReason; comment: string };

export function useFindings(studyUID: string) {
  return useQuery({
    queryKey: ['findings', studyUID],
    queryFn: () => api.get<Findings>(`/studies/${studyUID}/findings`),
  });
}

export function useDecide(studyUID: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ finding, decision }: { finding: FindingItem; decision: Decision }) => {
      const { kind, ...said } = decision;
      const body = { ...said, revision: finding.revision };
      return api.post<FindingItem>(`/findings/${encodeURIComponent(finding.id)}/${kind}`, body);
    },
    onError: (error) => {
      if (error instanceof APIError && error.status === 409) {
        void client.invalidateQueries({ queryKey: ['findings', studyUID] });
      }
    },
    onSuccess: (decided) => {
      client.setQueryData<Findings>(['findings', studyUID], (before) =>
        before
          ? {
              ...before,
              findings: before.findings.map((f) => (f.id === decided.id ? decided : f)),
            }
          : before,
      );
      void client.invalidateQueries({ queryKey: ['studies'] });
      void client.invalidateQueries({ queryKey: ['study', studyUID] });
      void client.invalidateQueries({ queryKey: ['timeline', studyUID] });
    },
  });
}

/** A value as a reader types it: decimal comma or point. Null when it is no number. */
export function parseValue(typed: string): number | null {
  const cleaned = typed.trim().replace(',', '.');
  return /^[+-]?\d+(\.\d+)?$/.test(cleaned) ? Number(cleaned) : null;
}
