/**
 * A series that came into the archive while the study was open.
 *
 * OHIF reads a study's metadata once and keeps the promise, under the data source's name and the
 * study; asking for one series needs that promise gone, before and after, or the next opening of the
 * study would get that one series alone.
 */
import { waitFor } from './jump';
import type { DisplaySet, Managers } from './types';

const SOURCE = 'ennead';

/**
 * Wait for the series' display set, fetching its metadata when OHIF does not know it.
 *
 * `late` says that the study was read before the series came; else OHIF may be about to read it.
 */
export async function bringSeries(
  managers: Managers,
  studyUID: string,
  seriesUID: string,
  late: boolean,
): Promise<boolean> {
  const isKnown = () => known(managers, seriesUID) !== undefined;
  if (isKnown() || (!late && (await waitFor(isKnown)))) return true;
  const [source] = managers.extensionManager.getActiveDataSource();
  if (!source) return false;
  const forget = () => {
    source.deleteStudyMetadataPromise(`${SOURCE}:${studyUID}`);
    source.deleteStudyMetadataPromise(studyUID);
  };
  forget();
  try {
    await source.retrieve.series.metadata({
      StudyInstanceUID: studyUID,
      filters: { seriesInstanceUID: [seriesUID] },
    });
  } catch {
    return false;
  } finally {
    forget();
  }
  return waitFor(isKnown);
}

function known({ servicesManager }: Managers, seriesUID: string): DisplaySet | undefined {
  return servicesManager.services.displaySetService
    .getActiveDisplaySets()
    .find((set) => set.SeriesInstanceUID === seriesUID);
}
