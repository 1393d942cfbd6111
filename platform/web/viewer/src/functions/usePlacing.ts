/** Which input is being placed; the primary button draws for it until it has enough. */
import { useEffect, useRef } from 'react';

import type { Placed, Shape } from '../ohif/place';
import { startPlacing } from '../ohif/place';
import type { Managers } from '../ohif/types';

export function usePlacing(
  managers: Managers,
  key: string | null,
  shape: Shape | null,
  onPlaced: (placed: Placed | null) => void,
): void {
  const latest = useRef(onPlaced);
  latest.current = onPlaced;
  useEffect(() => {
    if (key === null || shape === null) return undefined;
    return startPlacing(managers, shape, (placed) => latest.current(placed));
  }, [managers, key, shape]);
}
