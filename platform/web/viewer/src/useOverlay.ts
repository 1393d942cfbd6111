/** Overlays: laid over the images as soon as both are there, then toggled finding by finding. */
import { useEffect, useState } from 'react';

import type { FindingItem } from '../../shared/types';
import { loadOverlay, showSegments } from './ohif/overlay';
import type { Managers } from './ohif/types';

/** The series whose overlays are drawn, for the findings asked about. */
async function loadAll(managers: Managers, findings: FindingItem[]): Promise<boolean> {
  let drawn = false;
  for (const seriesUID of new Set(findings.map((f) => f.series_uid))) {
    const segments = findings.filter((f) => f.series_uid === seriesUID).flatMap((f) => f.segments);
    if (segments.length > 0 && (await loadOverlay(managers, seriesUID, segments))) drawn = true;
  }
  return drawn;
}

export function useOverlay(managers: Managers, findings: FindingItem[]) {
  const [chosen, setChosen] = useState<Readonly<Record<string, boolean>>>({});
  const [readyFor, setReadyFor] = useState('');
  const wanted = findings.map((f) => f.id).join('\n');
  const ready = wanted !== '' && readyFor === wanted;
  const isShown = (f: FindingItem) => chosen[f.id] ?? f.state !== 'rejected';
  const shown = findings.filter(isShown).map((f) => f.id).join('\n');

  useEffect(() => {
    let alive = true;
    void loadAll(managers, findings).then((drawn) => {
      if (alive && drawn) setReadyFor(wanted);
    });
    return () => {
      alive = false;
    };
    // Which findings there are decides, not what was said about them since.
  }, [managers, wanted]);

  useEffect(() => {
    if (!ready) return;
    for (const f of findings) showSegments(managers, f.series_uid, f.segments, isShown(f));
  }, [managers, ready, shown]);

  const toggle = async (finding: FindingItem) => {
    const show = !isShown(finding);
    setChosen({ ...chosen, [finding.id]: show });
    if (show) await loadOverlay(managers, finding.series_uid, finding.segments);
    showSegments(managers, finding.series_uid, finding.segments, show);
  };
  return { ready, isShown, toggle };
}
