import { bringSeries } from "../../../../platform/web/viewer/src/ohif/arrive";
import {
  displayedSeries,
  onDisplayed,
} from "../../../../platform/web/viewer/src/ohif/displayed";
import {
  placedOf,
  startPlacing,
} from "../../../../platform/web/viewer/src/ohif/place";
import type { Placed } from "../../../../platform/web/viewer/src/ohif/place";
import type { Managers } from "../../../../platform/web/viewer/src/ohif/types";

const IMAGE = "wadors:/dicom-web/studies/1/series/1.1/instances/1.1.7/frames/1";

/** Cornerstone's tools as far as we touch them. */
function cornerstone() {
  const group = {
    primary: "WindowLevel" as string | undefined,
    tools: new Set(["WindowLevel", "Zoom"]),
    hasTool: (name: string) => group.tools.has(name),
    addTool: (name: string) => group.tools.add(name),
    setToolActive: (name: string) => (group.primary = name),
    setToolPassive: (name: string) => {
      if (group.primary === name) group.primary = undefined;
    },
    getActivePrimaryMouseButtonTool: () => group.primary,
  };
  const listeners = new Set<(event: unknown) => void>();
  const removed: string[] = [];
  class Base {}
  const tools = {
    addTool: () => undefined,
    ProbeTool: Base,
    LengthTool: Base,
    EllipticalROITool: Base,
    RectangleROITool: Base,
    PlanarFreehandROITool: Base,
    Enums: {
      Events: { ANNOTATION_COMPLETED: "completed" },
      MouseBindings: { Primary: 1 },
    },
    ToolGroupManager: { getToolGroupForViewport: () => group },
    annotation: {
      state: { removeAnnotation: (uid: string) => removed.push(uid) },
    },
  };
  Object.assign(globalThis, {
    cornerstoneTools: tools,
    cornerstone: {
      eventTarget: {
        addEventListener: (_: string, l: (e: unknown) => void) =>
          listeners.add(l),
        removeEventListener: (_: string, l: (e: unknown) => void) =>
          listeners.delete(l),
      },
    },
  });
  const draw = (annotation: unknown) => {
    for (const listener of listeners) listener({ detail: { annotation } });
  };
  return { group, draw, removed, listeners };
}

const annotation = (toolName: string, points: number[][], image = IMAGE) => ({
  annotationUID: "a1",
  metadata: { toolName, referencedImageId: image },
  data: { handles: { points }, contour: { polyline: points } },
});

const managers = (more: Record<string, unknown> = {}) =>
  ({
    servicesManager: {
      services: {
        viewportGridService: { getActiveViewportId: () => "v" },
        ...more,
      },
    },
  }) as unknown as Managers;

test("a click becomes a place on its image, and the tool before comes back", () => {
  const { group, draw, listeners } = cornerstone();
  const found: (Placed | null)[] = [];
  const stop = startPlacing(managers(), "point", (p) => found.push(p));
  expect(group.primary).toBe("EnneadPoint");
  draw(annotation("Length", [[9, 9, 9]])); // somebody else's
  draw(annotation("EnneadPoint", [[1, 2, 3]]));
  expect(found).toEqual([
    {
      annotationUID: "a1",
      seriesUID: "1.1",
      instanceUID: "1.1.7",
      pointsMM: [[1, 2, 3]],
    },
  ]);
  stop();
  expect(group.primary).toBe("WindowLevel");
  expect(listeners.size).toBe(0);
});

test("a tool that the reader chose meanwhile stays", () => {
  const { group } = cornerstone();
  const stop = startPlacing(managers(), "line", () => undefined);
  group.primary = "Zoom";
  stop();
  expect(group.primary).toBe("Zoom");
});

test("a place on no image of a series is refused and taken off", () => {
  const { removed } = cornerstone();
  expect(
    placedOf(annotation("EnneadPoint", [[1, 2, 3]], "volume:x"), "point"),
  ).toBeNull();
  expect(removed).toEqual(["a1"]);
});

test("a rectangle goes round, an ellipse keeps its axes, an outline is thinned", () => {
  cornerstone();
  const corners = [
    [0, 0, 0],
    [1, 0, 0],
    [0, 1, 0],
    [1, 1, 0],
  ];
  const rectangle = placedOf(
    annotation("EnneadRectangle", corners),
    "rectangle",
  );
  expect(rectangle?.pointsMM).toEqual([
    [0, 0, 0],
    [1, 0, 0],
    [1, 1, 0],
    [0, 1, 0],
  ]);
  const ellipse = placedOf(annotation("EnneadEllipse", corners), "ellipse");
  expect(ellipse?.pointsMM).toEqual(corners);
  const many = Array.from({ length: 4500 }, (_, k) => [k, 0, 0]);
  const contour = placedOf(annotation("EnneadContour", many), "contour");
  expect(contour?.pointsMM).toHaveLength(900);
});

test("the series in view is the images' own, not the segmentation's", () => {
  const sets: Record<string, unknown> = {
    seg: { Modality: "SEG", SeriesInstanceUID: "1.9" },
    ct: { Modality: "CT", SeriesInstanceUID: "1.1" },
  };
  const listeners: (() => void)[] = [];
  const shown = managers({
    displaySetService: { getDisplaySetByUID: (uid: string) => sets[uid] },
    viewportGridService: {
      EVENTS: { A: "a", B: "b" },
      getActiveViewportId: () => "v",
      getDisplaySetsUIDsForViewport: () => ["seg", "ct"],
      subscribe: (_: string, listener: () => void) => {
        listeners.push(listener);
        return {
          unsubscribe: () => listeners.splice(listeners.indexOf(listener), 1),
        };
      },
    },
  });
  expect(displayedSeries(shown)).toBe("1.1");
  const stop = onDisplayed(shown, () => undefined);
  expect(listeners).toHaveLength(2);
  stop();
  expect(listeners).toHaveLength(0);
});

test("a series that came later is asked for, and the kept promise is gone twice", async () => {
  const sets: { SeriesInstanceUID: string }[] = [];
  const calls: unknown[] = [];
  const source = {
    deleteStudyMetadataPromise: (key: string) => calls.push(key),
    retrieve: {
      series: {
        metadata: (what: unknown) => {
          calls.push(what);
          sets.push({ SeriesInstanceUID: "1.9" });
          return Promise.resolve();
        },
      },
    },
  };
  const late = {
    ...managers({ displaySetService: { getActiveDisplaySets: () => sets } }),
    extensionManager: { getActiveDataSource: () => [source] },
  } as unknown as Managers;
  expect(await bringSeries(late, "1", "1.9", true)).toBe(true);
  expect(calls).toEqual([
    "ennead:1",
    "1",
    { StudyInstanceUID: "1", filters: { seriesInstanceUID: ["1.9"] } },
    "ennead:1",
    "1",
  ]);
  expect(await bringSeries(late, "1", "1.9", true)).toBe(true);
  expect(calls).toHaveLength(5);
});
