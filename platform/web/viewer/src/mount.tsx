/** Our own React inside the node that OHIF gives us. */
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { createRoot } from 'react-dom/client';

import { FindingsPanel } from './FindingsPanel';
import type { Managers } from './ohif/types';

const client = new QueryClient({
  defaultOptions: { queries: { retry: 1, staleTime: 5_000, refetchOnWindowFocus: true } },
});

export function mountPanel(node: HTMLElement, managers: Managers): () => void {
  const root = createRoot(node);
  root.render(
    <QueryClientProvider client={client}>
      <FindingsPanel managers={managers} />
    </QueryClientProvider>,
  );
  return () => queueMicrotask(() => root.unmount());
}
