/** The functions of the open study, the series in view, and getting it ready. */
import { useQuery } from '@tanstack/react-query';
import { useEffect, useSyncExternalStore } from 'react';

import { api } from '../../../shared/api';
import type { FunctionItem, Functions } from '../../../shared/types';
import { displayedSeries, onDisplayed } from '../ohif/displayed';
import type { Managers } from '../ohif/types';

const NONE: FunctionItem[] = [];

export function useDisplayedSeries(managers: Managers): string {
  return useSyncExternalStore(
    (listener) => onDisplayed(managers, listener),
    () => displayedSeries(managers),
  );
}

export function useFunctions(managers: Managers, studyUID: string, mayCall: boolean) {
  const seriesUID = useDisplayedSeries(managers);
  const answer = useQuery({
    queryKey: ['functions', studyUID],
    queryFn: () => api.get<Functions>(`/studies/${studyUID}/functions`),
    staleTime: 60_000,
    enabled: studyUID !== '',
  });
  const functions = answer.data?.functions ?? NONE;
  const fits = (item: FunctionItem) =>
    item.candidates.some((c) => c.series_uid === seriesUID && c.fits);
  const fitting = functions.filter(fits);
  const ready = mayCall && fitting.length > 0;
  useEffect(() => {
    if (!ready) return;
    // Only to be faster: a call that comes without it decodes the series itself.
    void api
      .post(`/studies/${studyUID}/functions/prepare`, { series_uid: seriesUID })
      .catch(() => undefined);
  }, [ready, studyUID, seriesUID]);
  return { answer, seriesUID, fitting, unfit: functions.filter((item) => !fits(item)) };
}

/** Why a function cannot measure a series; null when the series is not of its kind at all. */
export function reasonsOf(item: FunctionItem, seriesUID: string): string[] | null {
  return item.candidates.find((c) => c.series_uid === seriesUID)?.reasons ?? null;
}
