/** What the node says of itself without a login. */
import { useQuery } from '@tanstack/react-query';

export interface Node {
  dicom: { ae_title: string; port: number; accept_any_ae: boolean };
}

export function useNode() {
  return useQuery({
    queryKey: ['node'],
    queryFn: async () => (await (await fetch('/readyz')).json()) as Node,
    staleTime: 60_000,
  }).data;
}
