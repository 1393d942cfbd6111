/** The series that the active viewport shows, and word when it changes. */
import type { Managers, Subscription } from './types';

/** Series Instance UID of the active viewport's images; '' when there are none. */
export function displayedSeries({ servicesManager }: Managers): string {
  const { viewportGridService, displaySetService } = servicesManager.services;
  const active = viewportGridService.getActiveViewportId();
  const uids = active ? (viewportGridService.getDisplaySetsUIDsForViewport(active) ?? []) : [];
  const sets = uids.map((uid) => displaySetService.getDisplaySetByUID(uid));
  return sets.find((set) => set && set.Modality !== 'SEG')?.SeriesInstanceUID ?? '';
}

/** Call `listener` whenever another series may have come up; returns how to stop. */
export function onDisplayed(managers: Managers, listener: () => void): () => void {
  const { viewportGridService } = managers.servicesManager.services;
  const subscriptions: Subscription[] = Object.values(viewportGridService.EVENTS).map((event) =>
    viewportGridService.subscribe(event, listener),
  );
  return () => {
    for (const each of subscriptions) each.unsubscribe();
  };
}
