import {
  PAGE_SIZE,
  day,
  isFiltered,
  periodOf,
  queryOf,
  readFilters,
  writeFilters,
} from "../../../../platform/web/portal/src/pages/worklist";

const none = readFilters(new URLSearchParams());

test("filters survive the way through the address", () => {
  const filters = {
    ...none,
    search: "đặng thị",
    modality: "CT",
    ai: "ready",
    page: 3,
  };
  expect(readFilters(writeFilters(filters))).toEqual(filters);
});

test("nothing chosen leaves the address empty", () => {
  expect(writeFilters(none).toString()).toBe("");
  expect(isFiltered(none)).toBe(false);
  expect(isFiltered({ ...none, ai: "ready" })).toBe(true);
});

test("the third page starts after two pages", () => {
  const asked = new URLSearchParams(queryOf({ ...none, page: 3 }));
  expect(asked.get("offset")).toBe(String(2 * PAGE_SIZE));
  expect(asked.has("search")).toBe(false);
});

test("a page that is no number is the first", () => {
  expect(readFilters(new URLSearchParams("page=x")).page).toBe(1);
});

test("days are counted back over a month and a year", () => {
  expect(day(0, new Date(2026, 0, 3))).toBe("2026-01-03");
  expect(day(6, new Date(2026, 0, 3))).toBe("2025-12-28");
});

test("the period is recognised from its dates", () => {
  expect(periodOf(none)).toBe("all");
  expect(periodOf({ ...none, date_from: day(0) })).toBe("today");
  expect(periodOf({ ...none, date_from: day(6) })).toBe("week");
  expect(periodOf({ ...none, date_from: day(6), date_to: day(1) })).toBe("");
});
