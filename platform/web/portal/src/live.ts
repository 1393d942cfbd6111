/** Server-sent events: progress goes straight into the cache, changes make answers stale. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { QueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';

export interface JobProgress {
  study_uid: string;
  job: string;
  package: string;
  state: string;
  fraction: number;
  step: string;
}

/** Ask again at most twice a second, however many events arrive. */
function staleSoon(client: QueryClient) {
  const waiting = new Map<string, readonly string[]>();
  let timer: ReturnType<typeof setTimeout> | null = null;
  return (...keys: (readonly string[])[]) => {
    for (const key of keys) waiting.set(key.join('/'), key);
    timer ??= setTimeout(() => {
      timer = null;
      for (const queryKey of waiting.values()) void client.invalidateQueries({ queryKey });
      waiting.clear();
    }, 500);
  };
}

/** Listen while the portal is open. */
export function useLiveEvents(): void {
  const client = useQueryClient();
  useEffect(() => {
    const source = new EventSource('/api/v1/events');
    const stale = staleSoon(client);
    const study = (uid: string) =>
      stale(['studies'], ['study', uid], ['timeline', uid], ['jobs', uid], ['findings', uid]);
    const on = <T>(name: string, handle: (data: T) => void) =>
      source.addEventListener(name, (event) => handle(JSON.parse(String(event.data)) as T));
    on<JobProgress>('job', (progress) => {
      const before = client.getQueryData<JobProgress>(['progress', progress.study_uid]);
      client.setQueryData(['progress', progress.study_uid], progress);
      if (before?.state !== progress.state) study(progress.study_uid);
    });
    on('queue', () => stale(['queue']));
    on<{ study_uid: string }>('study', (data) => study(data.study_uid));
    on<{ study_uid: string }>('finding', (data) => study(data.study_uid));
    let dropped = false;
    source.onerror = () => {
      dropped = true;
    };
    source.onopen = () => {
      if (dropped) void client.invalidateQueries();
      dropped = false;
    };
    return () => source.close();
  }, [client]);
}

/** The newest progress of a study's jobs, if one is running. */
export function useProgress(studyUID: string): JobProgress | undefined {
  return useQuery<JobProgress>({
    queryKey: ['progress', studyUID],
    queryFn: () => Promise.reject(new Error('progress comes by events only')),
    enabled: false,
  }).data;
}
