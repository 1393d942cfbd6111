/** Overlays: laid over the images as soon as both are there, then shown and hidden by segment. */
import { useEffect, useState } from 'react';

import type { FindingItem, SegmentItem } from '../../shared/types';
import { loadOverlay, showSegments } from './ohif/overlay';
import type { Managers } from './ohif/types';

/** The series whose overlays are drawn, for the findings asked about. */
async function loadAll(
  managers: Managers,
  findings: FindingItem[],
  late: boolean,
): Promise<boolean> {
  let drawn = false;
  for (const seriesUID of new Set(findings.map((f) => f.series_uid))) {
    const segments = findings.filter((f) => f.series_uid === seriesUID).flatMap((f) => f.segments);
    if (segments.length > 0 && (await loadOverlay(managers, seriesUID, segments, late))) {
      drawn = true;
    }
  }
  return drawn;
}

function keyOf(segment: SegmentItem): string {
  return `${segment.seg_series_uid}#${segment.number}`;
}

export function useOverlay(managers: Managers, findings: FindingItem[]) {
  const [chosen, setChosen] = useState<Readonly<Record<string, boolean>>>({});
  const [readyFor, setReadyFor] = useState('');
  const wanted = findings.map((f) => f.id).join('\n');
  const ready = wanted !== '' && readyFor === wanted;

  // Several findings may rest on one segment: it goes when all of them are rejected.
  const kept = new Set(
    findings.filter((f) => f.state !== 'rejected').flatMap((f) => f.segments.map(keyOf)),
  );
  const isVisible = (segment: SegmentItem) => chosen[keyOf(segment)] ?? kept.has(keyOf(segment));
  const isShown = (finding: FindingItem) => finding.segments.some(isVisible);
  const visible = findings.flatMap((f) => f.segments.filter(isVisible).map(keyOf)).join('\n');

  useEffect(() => {
    let alive = true;
    // What joins findings that were drawn already came after the study was opened.
    const late = readyFor !== '' && findings.some((f) => readyFor.includes(f.id));
    void loadAll(managers, findings, late).then((drawn) => {
      if (alive && drawn) setReadyFor(wanted);
    });
    return () => {
      alive = false;
    };
    // Which findings there are decides, not what was said about them since.
  }, [managers, wanted]);

  useEffect(() => {
    if (!ready) return;
    for (const finding of findings) {
      for (const segment of finding.segments) {
        showSegments(managers, finding.series_uid, [segment], isVisible(segment));
      }
    }
  }, [managers, ready, visible]);

  const toggle = async (finding: FindingItem) => {
    const show = !isShown(finding);
    setChosen({
      ...chosen,
      ...Object.fromEntries(finding.segments.map((segment) => [keyOf(segment), show])),
    });
    if (show) await loadOverlay(managers, finding.series_uid, finding.segments);
  };
  return { ready, isShown, toggle };
}
