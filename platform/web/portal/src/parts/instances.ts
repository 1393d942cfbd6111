/** A series' images in order, from DICOMweb metadata. */

export const IMAGE_MODALITIES = new Set([
  'CT',
  'MR',
  'CR',
  'DX',
  'MG',
  'US',
  'PT',
  'NM',
  'XA',
  'RF',
  'OP',
  'XC',
  'IO',
  'PX',
  'OT',
  'SC',
  'ES',
  'GM',
]);

interface Attribute {
  Value?: unknown[];
}
type Instance = Record<string, Attribute | undefined>;

function numbers(instance: Instance, tag: string): number[] {
  return (instance[tag]?.Value ?? []).map(Number);
}

/** Along the normal of the stack where positions are known, else by Instance Number. */
export function orderInstances(instances: Instance[]): string[] {
  const key = (instance: Instance): number => {
    const [rx = 0, ry = 0, rz = 0, cx = 0, cy = 0, cz = 0] = numbers(instance, '00200037');
    const [x, y, z] = numbers(instance, '00200032');
    if (x === undefined || y === undefined || z === undefined) {
      return numbers(instance, '00200013')[0] ?? 0;
    }
    return x * (ry * cz - rz * cy) + y * (rz * cx - rx * cz) + z * (rx * cy - ry * cx);
  };
  const uid = (instance: Instance) => String(instance['00080018']?.Value?.[0] ?? '');
  return instances
    .map((instance) => ({ uid: uid(instance), at: key(instance) }))
    .sort((a, b) => a.at - b.at || a.uid.localeCompare(b.uid))
    .map((entry) => entry.uid);
}

export async function fetchInstances(studyUID: string, seriesUID: string): Promise<string[]> {
  const fields = ['00200013', '00200032', '00200037'].map((tag) => `includefield=${tag}`).join('&');
  const answer = await fetch(
    `/dicom-web/studies/${studyUID}/series/${seriesUID}/instances?${fields}`,
    { headers: { Accept: 'application/dicom+json' } },
  );
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return answer.status === 204 ? [] : orderInstances((await answer.json()) as Instance[]);
}

/** Window centre and width by what one looks at; CT only, in HU. */
export const CT_WINDOWS = {
  lung: [-600, 1500],
  mediastinum: [40, 400],
  bone: [450, 1800],
  brain: [40, 80],
  abdomen: [50, 350],
} as const;
export type CTWindow = keyof typeof CT_WINDOWS;

export function renderedAddress(
  studyUID: string,
  seriesUID: string,
  instanceUID: string,
  window: CTWindow | null,
): string {
  const base = `/dicom-web/studies/${studyUID}/series/${seriesUID}/instances/${instanceUID}/rendered`;
  const asked = new URLSearchParams({ viewport: '512,512' });
  if (window) asked.set('window', [...CT_WINDOWS[window], 'linear'].join(','));
  return `${base}?${asked.toString()}`;
}
