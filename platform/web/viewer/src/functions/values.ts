/** What a reader has given a function so far, and its JSON for the API. */
import { parseValue } from '../../../shared/findings/useFindings';
import type { FindingItem, FunctionInput, SegmentItem } from '../../../shared/types';
import type { Placed, Shape } from '../ohif/place';

export interface StrokeOf {
  action: 'paint' | 'erase';
  placed: Placed;
}

export interface MaskValue {
  finding: FindingItem;
  segment: SegmentItem;
  strokes: StrokeOf[];
}

export interface Values {
  placed: Record<string, Placed[]>;
  typed: Record<string, string>;
  masks: Record<string, MaskValue>;
  shapes: Record<string, 'ellipse' | 'rectangle'>;
}

export const NOTHING: Values = { placed: {}, typed: {}, masks: {}, shapes: {} };

/** The shape to draw for an input; null for those that are typed or chosen. */
export function shapeOf(input: FunctionInput, values: Values): Shape | null {
  switch (input.kind) {
    case 'point':
    case 'points':
    case 'seed':
      return 'point';
    case 'line':
    case 'contour':
      return input.kind;
    case 'roi':
      return values.shapes[input.name] ?? input.shapes?.[0] ?? 'ellipse';
    default:
      return null;
  }
}

/** Fewest and most places of an input. */
export function countsOf(input: FunctionInput): [number, number] {
  return input.kind === 'points' ? [input.count_min ?? 1, input.count_max ?? 1] : [1, 1];
}

/** Text of a typed input: what was typed, else its default. */
export function typedOf(input: FunctionInput, values: Values): string {
  return values.typed[input.name] ?? (input.default === null ? '' : String(input.default));
}

/** A number inside the input's bounds, or null. */
export function numberOf(input: FunctionInput, values: Values): number | null {
  const value = parseValue(typedOf(input, values));
  if (value === null) return null;
  const low = input.min ?? -Infinity;
  const high = input.max ?? Infinity;
  return value >= low && value <= high ? value : null;
}

/** Whether an input needs nothing more. */
export function isGiven(input: FunctionInput, values: Values): boolean {
  if (shapeOf(input, values)) {
    const count = (values.placed[input.name] ?? []).length;
    const [fewest, most] = countsOf(input);
    return (input.optional && count === 0) || (count >= fewest && count <= most);
  }
  if (input.kind === 'number') {
    return (input.optional && typedOf(input, values) === '') || numberOf(input, values) !== null;
  }
  if (input.kind === 'choice') return input.optional || typedOf(input, values) !== '';
  const mask = values.masks[input.name];
  return input.optional ? !mask || mask.strokes.length > 0 : (mask?.strokes.length ?? 0) > 0;
}

/** The first input that has to be placed and is not. */
export function nextToPlace(inputs: FunctionInput[], values: Values): FunctionInput | undefined {
  return inputs.find((i) => !i.optional && shapeOf(i, values) && !isGiven(i, values));
}

/** One click is all there is to give: then nobody needs a button. */
export function runsAtOnce(inputs: FunctionInput[]): boolean {
  return inputs.length === 1 && ['point', 'seed'].includes(inputs[0]?.kind ?? '');
}

/** The `inputs` of the call; what was not given is left out. */
export function toJSON(inputs: FunctionInput[], values: Values): Record<string, unknown> {
  const said: Record<string, unknown> = {};
  for (const input of inputs) {
    const value = one(input, values);
    if (value !== undefined) said[input.name] = value;
  }
  return said;
}

function one(input: FunctionInput, values: Values): unknown {
  const [first, ...rest] = values.placed[input.name] ?? [];
  if (input.kind === 'number') return numberOf(input, values) ?? undefined;
  if (input.kind === 'choice') return typedOf(input, values) || undefined;
  if (input.kind === 'mask') {
    const mask = values.masks[input.name];
    return mask && maskJSON(mask);
  }
  if (!first) return undefined;
  const instance_uid = first.instanceUID;
  if (input.kind === 'points') return [first, ...rest].map(point);
  if (input.kind === 'line') {
    return { instance_uid, start_mm: first.pointsMM[0], end_mm: first.pointsMM[1] };
  }
  if (input.kind === 'roi') {
    return { instance_uid, shape: shapeOf(input, values), points_mm: first.pointsMM };
  }
  if (input.kind === 'contour') return { instance_uid, points_mm: first.pointsMM };
  return point(first);
}

function point(placed: Placed) {
  return { instance_uid: placed.instanceUID, position_mm: placed.pointsMM[0] };
}

function maskJSON({ segment, strokes }: MaskValue) {
  return {
    seg_instance_uid: segment.seg_instance_uid,
    segment_number: segment.number,
    strokes: strokes.map(({ action, placed }) => ({
      action,
      instance_uid: placed.instanceUID,
      points_mm: placed.pointsMM,
    })),
  };
}

/** Annotation UIDs of everything placed. */
export function annotationsOf(values: Values): string[] {
  return [
    ...Object.values(values.placed).flat(),
    ...Object.values(values.masks).flatMap((mask) => mask.strokes.map((s) => s.placed)),
  ].map((placed) => placed.annotationUID);
}
