/** The segmentation of a finding over its images: loaded once, then shown and hidden. */
import type { SegmentItem } from '../../../shared/types';
import { bringSeries } from './arrive';
import { displaySetOfSeries, viewportShowing, waitFor } from './jump';
import type { DisplaySet, Managers } from './types';

/** Thin enough to read the lung through it. */
const STYLE = { fillAlpha: 0.22, fillAlphaInactive: 0.22, outlineWidth: 2 };

function segmentationSet(
  { servicesManager }: Managers,
  segment: SegmentItem,
): DisplaySet | undefined {
  return servicesManager.services.displaySetService
    .getActiveDisplaySets()
    .find((set) => set.Modality === 'SEG' && set.SeriesInstanceUID === segment.seg_series_uid);
}

function representation(managers: Managers, viewportId: string, set: DisplaySet) {
  return managers.servicesManager.services.segmentationService.getSegmentationRepresentations(
    viewportId,
    { segmentationId: set.displaySetInstanceUID },
  )[0];
}

/**
 * Lay the segments' objects over the series; true once every one of them is drawn.
 *
 * `late`: they were stored after the study was opened.
 */
export async function loadOverlay(
  managers: Managers,
  seriesUID: string,
  segments: SegmentItem[],
  late = false,
): Promise<boolean> {
  const { segmentationService } = managers.servicesManager.services;
  const found = await waitFor(() => {
    const id = viewportShowing(managers, seriesUID);
    const { cornerstoneViewportService } = managers.servicesManager.services;
    const viewport = id && cornerstoneViewportService.getCornerstoneViewport(id);
    return Boolean(viewport && viewport.getImageIds().length > 0);
  });
  const viewportId = viewportShowing(managers, seriesUID);
  if (!found || !viewportId) return false;
  const study = displaySetOfSeries(managers, seriesUID)?.StudyInstanceUID;
  for (const uid of new Set(segments.map((segment) => segment.seg_series_uid))) {
    if (study) await bringSeries(managers, study, uid, late);
  }
  const sets = new Set(segments.map((segment) => segmentationSet(managers, segment)));
  for (const set of sets) {
    if (!set) return false;
    if (representation(managers, viewportId, set)) continue;
    managers.commandsManager.runCommand('addDisplaySetAsLayer', {
      viewportId,
      displaySetInstanceUID: set.displaySetInstanceUID,
    });
    const drawn = await waitFor(() => representation(managers, viewportId, set) !== undefined);
    if (!drawn) return false;
  }
  segmentationService.setStyle({ type: 'Labelmap' }, STYLE);
  for (const segment of segments) {
    const set = segmentationSet(managers, segment);
    if (!set) continue;
    segmentationService.setSegmentColor(viewportId, set.displaySetInstanceUID, segment.number, [
      ...segment.colour,
      255,
    ]);
  }
  return true;
}

/** Show or hide segments that are loaded already. */
export function showSegments(
  managers: Managers,
  seriesUID: string,
  segments: SegmentItem[],
  visible: boolean,
): void {
  const viewportId = viewportShowing(managers, seriesUID);
  if (!viewportId) return;
  for (const segment of segments) {
    const set = segmentationSet(managers, segment);
    const drawn = set && representation(managers, viewportId, set);
    if (!set || !drawn) continue;
    managers.servicesManager.services.segmentationService.setSegmentVisibility(
      viewportId,
      set.displaySetInstanceUID,
      segment.number,
      visible,
      drawn.type,
    );
  }
}
