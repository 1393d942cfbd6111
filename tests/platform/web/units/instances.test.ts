import {
  orderInstances,
  renderedAddress,
} from "../../../../platform/web/portal/src/parts/instances";

const axial = [1, 0, 0, 0, 1, 0];

function instance(
  uid: string,
  number: number,
  position?: number[],
  orientation = axial,
) {
  return {
    "00080018": { Value: [uid] },
    "00200013": { Value: [number] },
    ...(position && {
      "00200032": { Value: position },
      "00200037": { Value: orientation },
    }),
  };
}

test("positions along the normal win over instance numbers", () => {
  const given = [
    instance("c", 1, [0, 0, 9]),
    instance("a", 3, [0, 0, -4]),
    instance("b", 2, [0, 0, 2]),
  ];
  expect(orderInstances(given)).toEqual(["a", "b", "c"]);
});

test("a sagittal stack is ordered along its own normal", () => {
  const sagittal = [0, 1, 0, 0, 0, -1];
  const given = [
    instance("x5", 1, [5, 0, 0], sagittal),
    instance("x-5", 2, [-5, 0, 0], sagittal),
  ];
  // Row (0,1,0) × column (0,0,−1) = (−1,0,0): the larger x comes first.
  expect(orderInstances(given)).toEqual(["x5", "x-5"]);
});

test("without positions the instance number orders", () => {
  expect(orderInstances([instance("b", 2), instance("a", 1)])).toEqual([
    "a",
    "b",
  ]);
});

test("a window is asked for as centre, width, function (PS3.18 §8.3.5)", () => {
  expect(renderedAddress("1", "2", "3", "lung")).toBe(
    "/dicom-web/studies/1/series/2/instances/3/rendered?viewport=512%2C512&window=-600%2C1500%2Clinear",
  );
  expect(renderedAddress("1", "2", "3", null)).not.toContain("window");
});
