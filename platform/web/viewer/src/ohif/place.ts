/**
 * Places on the images, drawn with tools of our own.
 *
 * Ours are subclasses under names that OHIF does not map, so nothing drawn here becomes one of its
 * measurements or asks to be tracked; they are taken off the images when they have served.
 */
import type { Managers } from './types';

export type Shape = 'point' | 'line' | 'ellipse' | 'rectangle' | 'contour';

/** What was placed: the image by SOP Instance UID, and points in patient LPS mm. */
export interface Placed {
  annotationUID: string;
  seriesUID: string;
  instanceUID: string;
  pointsMM: [number, number, number][];
}

interface Annotation {
  annotationUID: string;
  metadata: { toolName: string; referencedImageId?: string };
  data: {
    handles: { points: ArrayLike<number>[] };
    contour?: { polyline?: ArrayLike<number>[] };
  };
}

interface ToolGroup {
  hasTool: (name: string) => boolean;
  addTool: (name: string, configuration?: Record<string, unknown>) => void;
  setToolActive: (name: string, how: { bindings: { mouseButton: number }[] }) => void;
  setToolPassive: (name: string, how?: { removeAllBindings: boolean }) => void;
  getActivePrimaryMouseButtonTool: () => string | undefined;
}

type ToolClass = new (...args: never[]) => object;

export interface CornerstoneTools {
  addTool: (tool: unknown) => void;
  ProbeTool: ToolClass;
  LengthTool: ToolClass;
  EllipticalROITool: ToolClass;
  RectangleROITool: ToolClass;
  PlanarFreehandROITool: ToolClass;
  Enums: { Events: { ANNOTATION_COMPLETED: string }; MouseBindings: { Primary: number } };
  ToolGroupManager: { getToolGroupForViewport: (viewportId: string) => ToolGroup | undefined };
  annotation: { state: { removeAnnotation: (uid: string) => void } };
}

interface EventTargetLike {
  addEventListener: (name: string, listener: (event: CustomEvent) => void) => void;
  removeEventListener: (name: string, listener: (event: CustomEvent) => void) => void;
}

interface Globals {
  cornerstoneTools: CornerstoneTools;
  cornerstone: { eventTarget: EventTargetLike };
}

const NAMES: Record<Shape, string> = {
  point: 'EnneadPoint',
  line: 'EnneadLine',
  ellipse: 'EnneadEllipse',
  rectangle: 'EnneadRectangle',
  contour: 'EnneadContour',
};

/** A drawn outline has a point for each pixel it passed; the server takes this many. */
const MOST_CORNERS = 1000;

const globals = () => globalThis as unknown as Globals;
let known = false;

function introduce(tools: CornerstoneTools): void {
  if (known) return;
  known = true;
  const bases: Record<Shape, ToolClass> = {
    point: tools.ProbeTool,
    line: tools.LengthTool,
    ellipse: tools.EllipticalROITool,
    rectangle: tools.RectangleROITool,
    contour: tools.PlanarFreehandROITool,
  };
  for (const shape of Object.keys(bases) as Shape[]) {
    tools.addTool(
      class extends bases[shape] {
        static toolName = NAMES[shape];
      },
    );
  }
}

/** Let the primary button place a shape in the active viewport; returns how to stop. */
export function startPlacing(
  { servicesManager }: Managers,
  shape: Shape,
  onPlaced: (placed: Placed | null) => void,
): () => void {
  const { cornerstoneTools: tools, cornerstone } = globals();
  introduce(tools);
  const viewportId = servicesManager.services.viewportGridService.getActiveViewportId();
  const group = viewportId ? tools.ToolGroupManager.getToolGroupForViewport(viewportId) : undefined;
  if (!group) return () => undefined;
  const name = NAMES[shape];
  if (!group.hasTool(name)) {
    group.addTool(name, shape === 'contour' ? { allowOpenContours: false } : {});
  }
  const before = group.getActivePrimaryMouseButtonTool();
  const bindings = [{ mouseButton: tools.Enums.MouseBindings.Primary }];
  if (before) group.setToolPassive(before, { removeAllBindings: true });
  group.setToolActive(name, { bindings });
  const event = tools.Enums.Events.ANNOTATION_COMPLETED;
  const listen = (completed: CustomEvent) => {
    const { annotation } = completed.detail as { annotation: Annotation };
    if (annotation.metadata.toolName === name) onPlaced(placedOf(annotation, shape));
  };
  cornerstone.eventTarget.addEventListener(event, listen);
  return () => {
    cornerstone.eventTarget.removeEventListener(event, listen);
    // Another tool may have been chosen from the toolbar meanwhile; then it stays.
    const ours = group.getActivePrimaryMouseButtonTool() === name;
    group.setToolPassive(name, { removeAllBindings: true });
    if (ours && before) group.setToolActive(before, { bindings });
  };
}

/** A place in our terms; null when it lies on no image of a series (a reformatted plane). */
export function placedOf(annotation: Annotation, shape: Shape): Placed | null {
  const image = /\/series\/([\d.]+)\/instances\/([\d.]+)\//.exec(
    annotation.metadata.referencedImageId ?? '',
  );
  const drawn =
    shape === 'contour' ? annotation.data.contour?.polyline : annotation.data.handles.points;
  if (!image?.[1] || !image[2] || !drawn || drawn.length === 0) {
    removePlaced([annotation.annotationUID]);
    return null;
  }
  return {
    annotationUID: annotation.annotationUID,
    seriesUID: image[1],
    instanceUID: image[2],
    pointsMM: inOrder(thinned(drawn), shape).map((p) => [Number(p[0]), Number(p[1]), Number(p[2])]),
  };
}

function thinned(points: ArrayLike<number>[]): ArrayLike<number>[] {
  const step = Math.ceil(points.length / MOST_CORNERS);
  return points.filter((_, index) => index % step === 0);
}

/** Cornerstone's rectangle goes by rows; ours goes round. Its ellipse is two axes, as ours. */
function inOrder(points: ArrayLike<number>[], shape: Shape): ArrayLike<number>[] {
  if (shape === 'point') return points.slice(0, 1);
  const [a, b, c, d] = points;
  return shape === 'rectangle' && a && b && c && d ? [a, b, d, c] : points;
}

/** Take what was placed off the images. */
export function removePlaced(uids: string[]): void {
  for (const uid of uids) globals().cornerstoneTools.annotation.state.removeAnnotation(uid);
}

/** Draw the active viewports again, so that what was taken off goes. */
export function redraw({ servicesManager }: Managers): void {
  const { viewportGridService, cornerstoneViewportService } = servicesManager.services;
  for (const id of viewportGridService.getState().viewports.keys()) {
    cornerstoneViewportService.getCornerstoneViewport(id)?.render();
  }
}
