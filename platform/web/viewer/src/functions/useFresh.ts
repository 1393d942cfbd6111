/** Findings just answered, until the archive holds them; and word of what happens meanwhile. */
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';

import { api } from '../../../shared/api';
import type { CallAnswer, FindingItem, Job } from '../../../shared/types';

interface Fresh {
  job: string;
  findings: FindingItem[];
  failed: string;
}

export function useFresh(studyUID: string, listed: FindingItem[]) {
  const client = useQueryClient();
  const [answers, setAnswers] = useState<Fresh[]>([]);
  useEffect(() => setAnswers([]), [studyUID]);

  useEffect(() => {
    if (studyUID === '') return undefined;
    const source = new EventSource('/api/v1/events');
    const stale = () => void client.invalidateQueries({ queryKey: ['findings', studyUID] });
    const failed = async (job: string) => {
      const { jobs } = await api.get<{ jobs: Job[] }>(`/studies/${studyUID}/jobs`);
      const reason = jobs.find((each) => each.id === job)?.reason ?? '';
      setAnswers((now) => now.map((a) => (a.job === job ? { ...a, failed: reason } : a)));
    };
    source.addEventListener('job', (event) => {
      const said = JSON.parse(String(event.data)) as {
        study_uid: string;
        job: string;
        state: string;
      };
      if (said.study_uid !== studyUID || ['waiting', 'running'].includes(said.state)) return;
      stale();
      if (said.state === 'failed') void failed(said.job).catch(() => undefined);
    });
    // What happened while the line was down is asked for when it is up again.
    source.addEventListener('open', stale);
    return () => source.close();
  }, [client, studyUID]);

  const stored = new Set(listed.map((finding) => finding.id));
  const fresh = answers
    .filter((answer) => answer.failed === '')
    .flatMap((answer) => answer.findings)
    .filter((finding) => !stored.has(finding.id));
  return {
    findings: fresh.length > 0 ? [...listed, ...fresh] : listed,
    isFresh: (finding: FindingItem) => !stored.has(finding.id),
    failures: answers.filter((answer) => answer.failed !== '').map((answer) => answer.failed),
    add: (answer: CallAnswer) => {
      const { job, findings } = answer;
      setAnswers((now) => [...now.filter((a) => a.job !== job), { job, findings, failed: '' }]);
      void client.invalidateQueries({ queryKey: ['findings', studyUID] });
    },
  };
}
