/** How answers are kept: fresh for a few seconds, made stale by the server's events. */
import { QueryClient } from '@tanstack/react-query';

import { APIError } from '../../shared/api';

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      retry: (failures, error) =>
        !(error instanceof APIError && error.status < 500) && failures < 2,
    },
  },
});
