import {
  imageIdOf,
  jumpTo,
  viewportShowing,
} from "../../../../platform/web/viewer/src/ohif/jump";
import {
  loadOverlay,
  showSegments,
} from "../../../../platform/web/viewer/src/ohif/overlay";
import type {
  CornerstoneViewport,
  DisplaySet,
  Managers,
} from "../../../../platform/web/viewer/src/ohif/types";

const CT: DisplaySet = {
  displaySetInstanceUID: "ct",
  SeriesInstanceUID: "1.1",
  StudyInstanceUID: "1",
  Modality: "CT",
};
const SEG: DisplaySet = {
  displaySetInstanceUID: "seg",
  SeriesInstanceUID: "1.9",
  StudyInstanceUID: "1",
  Modality: "SEG",
};
const SEGMENT = {
  id: "lung",
  number: 2,
  title: "",
  colour: [1, 2, 3] as [number, number, number],
  seg_instance_uid: "1.9.1",
  seg_series_uid: "1.9",
};
const image = (uid: string) =>
  `wadors:/dicom-web/studies/1/series/1.1/instances/${uid}/frames/1`;

/** A grid of two viewports; commands do what OHIF's do to it. */
function ohif(shown: Record<string, string[]>, active = "a") {
  const drawn = new Set<string>();
  const calls: unknown[][] = [];
  const jumped: string[] = [];
  const viewport = {
    getImageIds: () => [image("7.12"), image("7.1"), image("7.2")],
    setViewReference: (r: { referencedImageId: string }) =>
      jumped.push(r.referencedImageId),
    render: () => undefined,
  } as unknown as CornerstoneViewport;
  const managers = {
    commandsManager: {
      runCommand: (name: string, options: Record<string, unknown>) => {
        calls.push([name, options]);
        if (name === "addDisplaySetAsLayer")
          drawn.add(String(options["displaySetInstanceUID"]));
        if (name === "setDisplaySetsForViewports") shown[active] = ["ct"];
      },
    },
    servicesManager: {
      services: {
        displaySetService: {
          getActiveDisplaySets: () => [SEG, CT],
          getDisplaySetByUID: (uid: string) =>
            [SEG, CT].find((s) => s.displaySetInstanceUID === uid),
        },
        viewportGridService: {
          getActiveViewportId: () => active,
          getDisplaySetsUIDsForViewport: (id: string) => shown[id],
          getState: () => ({
            viewports: new Map(Object.keys(shown).map((id) => [id, {}])),
          }),
        },
        cornerstoneViewportService: { getCornerstoneViewport: () => viewport },
        segmentationService: {
          getSegmentationRepresentations: (
            _: string,
            which: { segmentationId: string },
          ) =>
            drawn.has(which.segmentationId)
              ? [{ type: "Labelmap", segments: {} }]
              : [],
          setSegmentVisibility: (...args: unknown[]) =>
            calls.push(["visible", ...args]),
          setStyle: (...args: unknown[]) => calls.push(["style", ...args]),
          setSegmentColor: (...args: unknown[]) =>
            calls.push(["colour", ...args]),
        },
      },
    },
  } as unknown as Managers;
  return { managers, calls, jumped };
}

test("an instance is found by its whole UID, not by a prefix of one", () => {
  const viewport = {
    getImageIds: () => [image("7.12"), image("7.1")],
  } as CornerstoneViewport;
  expect(imageIdOf(viewport, "7.1")).toBe(image("7.1"));
  expect(imageIdOf(viewport, "7")).toBeUndefined();
});

test("the active viewport is preferred among those that show the series", () => {
  expect(viewportShowing(ohif({ b: ["ct"], a: ["ct"] }).managers, "1.1")).toBe(
    "a",
  );
  expect(viewportShowing(ohif({ a: ["seg"], b: ["ct"] }).managers, "1.1")).toBe(
    "b",
  );
  expect(viewportShowing(ohif({ a: [] }).managers, "1.1")).toBeNull();
});

test("a jump goes to the image of the instance", async () => {
  const { managers, jumped } = ohif({ a: ["ct"] });
  expect(await jumpTo(managers, "1.1", "7.1")).toBe(true);
  expect(jumped).toEqual([image("7.1")]);
});

test("a jump brings up a series that no viewport shows", async () => {
  const { managers, calls, jumped } = ohif({ a: ["seg"] });
  expect(await jumpTo(managers, "1.1", "7.2")).toBe(true);
  expect(calls[0]?.[0]).toBe("setDisplaySetsForViewports");
  expect(jumped).toEqual([image("7.2")]);
});

test("a series that is not in the study cannot be jumped to", async () => {
  expect(await jumpTo(ohif({ a: ["ct"] }).managers, "5.5", "7.1")).toBe(false);
});

test("an overlay is laid once and coloured as the finding says", async () => {
  const { managers, calls } = ohif({ a: ["ct"] });
  expect(await loadOverlay(managers, "1.1", [SEGMENT])).toBe(true);
  expect(await loadOverlay(managers, "1.1", [SEGMENT])).toBe(true);
  expect(
    calls.filter(([name]) => name === "addDisplaySetAsLayer"),
  ).toHaveLength(1);
  expect(calls).toContainEqual(["colour", "a", "seg", 2, [1, 2, 3, 255]]);
});

test("one segment is hidden by its number, the object stays", async () => {
  const { managers, calls } = ohif({ a: ["ct"] });
  await loadOverlay(managers, "1.1", [SEGMENT]);
  showSegments(managers, "1.1", [SEGMENT], false);
  expect(calls.at(-1)).toEqual(["visible", "a", "seg", 2, false, "Labelmap"]);
});

test("hiding what was never laid does nothing", () => {
  const { managers, calls } = ohif({ a: ["ct"] });
  showSegments(managers, "1.1", [SEGMENT], false);
  expect(calls).toEqual([]);
});
