/** To the image a finding names by SOP Instance UID; never by a slice index. */
import type { CornerstoneViewport, DisplaySet, Managers } from './types';

export function displaySetOfSeries(
  { servicesManager }: Managers,
  seriesUID: string,
): DisplaySet | undefined {
  return servicesManager.services.displaySetService
    .getActiveDisplaySets()
    .find((set) => set.SeriesInstanceUID === seriesUID);
}

/** The viewport that shows a series, the active one first; null when none does. */
export function viewportShowing({ servicesManager }: Managers, seriesUID: string): string | null {
  const { viewportGridService, displaySetService } = servicesManager.services;
  const active = viewportGridService.getActiveViewportId();
  const all = [...viewportGridService.getState().viewports.keys()];
  const ordered = active ? [active, ...all.filter((id) => id !== active)] : all;
  const shows = (id: string) =>
    (viewportGridService.getDisplaySetsUIDsForViewport(id) ?? []).some(
      (uid) => displaySetService.getDisplaySetByUID(uid)?.SeriesInstanceUID === seriesUID,
    );
  return ordered.find(shows) ?? null;
}

/** Index-free: the image id of an instance among those a viewport has loaded. */
export function imageIdOf(viewport: CornerstoneViewport, instanceUID: string): string | undefined {
  return viewport.getImageIds().find((id) => id.includes(`/instances/${instanceUID}/`));
}

/** Bring the series up if needed, then show the instance; false when it cannot be shown. */
export async function jumpTo(
  managers: Managers,
  seriesUID: string,
  instanceUID: string,
): Promise<boolean> {
  const { viewportGridService, cornerstoneViewportService } = managers.servicesManager.services;
  let viewportId = viewportShowing(managers, seriesUID);
  if (!viewportId) {
    viewportId = viewportGridService.getActiveViewportId();
    const set = displaySetOfSeries(managers, seriesUID);
    if (!viewportId || !set) return false;
    managers.commandsManager.runCommand('setDisplaySetsForViewports', {
      viewportsToUpdate: [{ viewportId, displaySetInstanceUIDs: [set.displaySetInstanceUID] }],
    });
  }
  const id = viewportId;
  return waitFor(() => {
    const viewport = cornerstoneViewportService.getCornerstoneViewport(id);
    const imageId = viewport && imageIdOf(viewport, instanceUID);
    if (!viewport || !imageId) return false;
    viewport.setViewReference({ referencedImageId: imageId });
    viewport.render();
    return true;
  });
}

/** Try until it works, five seconds at most. */
export async function waitFor(attempt: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 50; tries += 1) {
    if (attempt()) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}
