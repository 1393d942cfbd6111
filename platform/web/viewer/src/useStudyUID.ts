/** The study in the address; the viewer stays alive when it changes. */
import { useSyncExternalStore } from 'react';

function subscribe(listener: () => void): () => void {
  window.addEventListener('popstate', listener);
  return () => window.removeEventListener('popstate', listener);
}

function current(): string {
  const parameters = new URLSearchParams(window.location.search);
  return (parameters.get('StudyInstanceUIDs') ?? '').split(',')[0] ?? '';
}

export function useStudyUID(): string {
  return useSyncExternalStore(subscribe, current);
}
