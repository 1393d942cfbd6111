import type {
  FindingItem,
  FunctionInput,
} from "../../../../platform/web/shared/types";
import {
  NOTHING,
  annotationsOf,
  isGiven,
  nextToPlace,
  numberOf,
  runsAtOnce,
  shapeOf,
  toJSON,
} from "../../../../platform/web/viewer/src/functions/values";
import { actionOf } from "../../../../platform/web/viewer/src/useReviewKeys";
import type { Values } from "../../../../platform/web/viewer/src/functions/values";

const input = (
  name: string,
  kind: FunctionInput["kind"],
  more: Partial<FunctionInput> = {},
): FunctionInput => ({
  name,
  kind,
  title: name,
  optional: false,
  default: null,
  ...more,
});

const placed = (uid: string, ...pointsMM: [number, number, number][]) => ({
  annotationUID: uid,
  seriesUID: "1.1",
  instanceUID: "1.1.7",
  pointsMM,
});

const SEED = input("seed", "seed");
const SIZE = input("size", "number", { default: 5, min: 1, max: 10 });
const values = (more: Partial<Values>): Values => ({ ...NOTHING, ...more });

test("a seed is a place on its image", () => {
  const given = values({ placed: { seed: [placed("a", [1, 2, 3])] } });
  expect(toJSON([SEED], given)).toEqual({
    seed: { instance_uid: "1.1.7", position_mm: [1, 2, 3] },
  });
  expect(annotationsOf(given)).toEqual(["a"]);
});

test("a number has its default, its bounds and a decimal comma", () => {
  expect(numberOf(SIZE, NOTHING)).toBe(5);
  expect(numberOf(SIZE, values({ typed: { size: "7,5" } }))).toBe(7.5);
  expect(numberOf(SIZE, values({ typed: { size: "10" } }))).toBe(10);
  expect(numberOf(SIZE, values({ typed: { size: "10,1" } }))).toBeNull();
  expect(numberOf(SIZE, values({ typed: { size: "wide" } }))).toBeNull();
  expect(toJSON([SIZE], NOTHING)).toEqual({ size: 5 });
});

test("only what is needed and missing is asked for, in order", () => {
  const line = input("line", "line");
  const more = input("more", "contour", { optional: true });
  expect(nextToPlace([SIZE, SEED, line, more], NOTHING)?.name).toBe("seed");
  const seeded = values({ placed: { seed: [placed("a", [1, 2, 3])] } });
  expect(nextToPlace([SIZE, SEED, line, more], seeded)?.name).toBe("line");
  expect(isGiven(more, seeded)).toBe(true);
  expect(isGiven(line, seeded)).toBe(false);
  expect(runsAtOnce([SEED])).toBe(true);
  expect(runsAtOnce([SEED, SIZE])).toBe(false);
  expect(runsAtOnce([line])).toBe(false);
});

test("points are counted", () => {
  const points = input("points", "points", { count_min: 2, count_max: 3 });
  const of = (n: number) =>
    values({
      placed: {
        points: Array.from({ length: n }, (_, k) =>
          placed(String(k), [k, 0, 0]),
        ),
      },
    });
  expect([0, 1, 2, 3, 4].map((n) => isGiven(points, of(n)))).toEqual([
    false,
    false,
    true,
    true,
    false,
  ]);
  expect(toJSON([points], of(2))["points"]).toHaveLength(2);
});

test("a region is drawn in the shape that was chosen", () => {
  const roi = input("roi", "roi", { shapes: ["ellipse", "rectangle"] });
  expect(shapeOf(roi, NOTHING)).toBe("ellipse");
  const given = values({
    shapes: { roi: "rectangle" },
    placed: {
      roi: [placed("a", [0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0])],
    },
  });
  expect(toJSON([roi], given)).toMatchObject({
    roi: { shape: "rectangle", instance_uid: "1.1.7" },
  });
});

test("an edited mask keeps its strokes in order, and needs one", () => {
  const mask = input("mask", "mask");
  const segment = {
    id: "nodule_mask",
    number: 2,
    title: "",
    colour: [1, 2, 3] as [number, number, number],
    seg_instance_uid: "9.1",
    seg_series_uid: "9",
  };
  const finding = { id: "f" } as FindingItem;
  const chosen = values({
    masks: { mask: { finding, segment, strokes: [] } },
  });
  expect(isGiven(mask, chosen)).toBe(false);
  const drawn = values({
    masks: {
      mask: {
        finding,
        segment,
        strokes: [
          { action: "paint", placed: placed("a", [0, 0, 0]) },
          { action: "erase", placed: placed("b", [1, 0, 0]) },
        ],
      },
    },
  });
  expect(isGiven(mask, drawn)).toBe(true);
  expect(toJSON([mask], drawn)).toEqual({
    mask: {
      seg_instance_uid: "9.1",
      segment_number: 2,
      strokes: [
        { action: "paint", instance_uid: "1.1.7", points_mm: [[0, 0, 0]] },
        { action: "erase", instance_uid: "1.1.7", points_mm: [[1, 0, 0]] },
      ],
    },
  });
  expect(annotationsOf(drawn)).toEqual(["a", "b"]);
});

test("what is optional and not given is left out", () => {
  const choice = input("how", "choice", { optional: true, choices: [] });
  const more = input("more", "contour", { optional: true });
  expect(toJSON([choice, more], NOTHING)).toEqual({});
});

test("a key belongs to what is in front, whichever was drawn last", () => {
  const done: string[] = [];
  const panel = { rank: 0, actions: { Escape: () => done.push("panel") } };
  const form = { rank: 2, actions: { Escape: () => done.push("form") } };
  for (const layers of [
    [panel, form],
    [form, panel],
  ]) {
    actionOf(layers, "Escape")?.();
  }
  expect(done).toEqual(["form", "form"]);
  expect(actionOf([panel, form], "x")).toBeUndefined();
});
