/** Overlays: laid over the images as soon as both are there, then toggled finding by finding. */
import { useEffect, useState } from 'react';

import type { FindingItem } from '../../shared/types';
import { loadOverlay, showSegments } from './ohif/overlay';
import type { Managers } from './ohif/types';

export function useOverlay(managers: Managers, findings: FindingItem[]) {
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [ready, setReady] = useState(false);
  const wanted = findings.map((f) => f.id).join('\n');

  useEffect(() => {
    let alive = true;
    const run = async () => {
      for (const seriesUID of new Set(findings.map((f) => f.series_uid))) {
        const segments = findings
          .filter((f) => f.series_uid === seriesUID && f.state !== 'rejected')
          .flatMap((f) => f.segments);
        const drawn = segments.length > 0 && (await loadOverlay(managers, seriesUID, segments));
        if (alive && drawn) setReady(true);
      }
    };
    void run();
    return () => {
      alive = false;
    };
    // The findings' identity decides, not their review state.
  }, [managers, wanted]);

  const toggle = async (finding: FindingItem) => {
    const show = hidden.has(finding.id);
    const next = new Set(hidden);
    if (show) next.delete(finding.id);
    else next.add(finding.id);
    setHidden(next);
    if (show) await loadOverlay(managers, finding.series_uid, finding.segments);
    showSegments(managers, finding.series_uid, finding.segments, show);
  };
  const hide = (finding: FindingItem) => {
    setHidden(new Set(hidden).add(finding.id));
    showSegments(managers, finding.series_uid, finding.segments, false);
  };
  return { ready, isShown: (finding: FindingItem) => !hidden.has(finding.id), toggle, hide };
}
