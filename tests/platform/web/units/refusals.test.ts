import { groupRefusals } from "../../../../platform/web/shared/findings/groupRefusals";
import { decimalLike } from "../../../../platform/web/shared/format";

const refusal = (subject: string, text: string, code = "PHASE") => ({
  package: "lung",
  code,
  subject,
  subject_title: subject,
  text,
  series_uid: "1",
});

test("one reason is said once, with everything it stops", () => {
  const groups = groupRefusals([
    refusal("LAA-950", "contrast"),
    refusal("Perc15", "contrast"),
    refusal("LAA-950", "contrast"),
    refusal("Volume", "cropped", "COVERAGE"),
  ]);
  expect(groups.map((g) => [g.text, g.subjects])).toEqual([
    ["contrast", ["LAA-950", "Perc15"]],
    ["cropped", ["Volume"]],
  ]);
});

test("the same text under another code stays apart", () => {
  expect(
    groupRefusals([refusal("a", "x", "PHASE"), refusal("a", "x", "LOSSY")]),
  ).toHaveLength(2);
});

test("a refusal of the whole package names no subject", () => {
  expect(
    groupRefusals([refusal("", "not a CT", "MODALITY")])[0]?.subjects,
  ).toEqual([]);
});

test.each([
  [2481.5678, "2490,1", "vi", "2481,6"],
  [2481.5678, "2490.12", "en", "2481.57"],
  [-811.6, "-810", "vi", "-812"],
])("%d like %s in %s is %s", (value, shown, language, expected) => {
  expect(decimalLike(value, shown, language)).toBe(expected);
});
