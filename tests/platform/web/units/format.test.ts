import {
  age,
  date,
  decimal,
  duration,
  instant,
  personName,
  time,
  unit,
} from "../../../../platform/web/shared/format";
import { parseValue } from "../../../../platform/web/shared/findings/useFindings";

test("person names lose their carets and their ideographic group", () => {
  expect(personName("Đặng^Thị^Ánh")).toBe("Đặng Thị Ánh");
  expect(personName("YAMADA^TARO=山田^太郎")).toBe("YAMADA TARO");
  expect(personName("")).toBe("");
});

test("dates are read with and without dashes, times cut to minutes", () => {
  expect(date("20261123")).toBe("23/11/2026");
  expect(date("2026-11-23")).toBe("23/11/2026");
  expect(date("")).toBe("");
  expect(time("081500.123")).toBe("08:15");
  expect(time("08")).toBe("");
});

test.each([
  ["19581123", "20261123", 68],
  ["19581124", "20261123", 67],
  ["", "20261123", null],
  ["19581123", "", null],
])("age of %s on %s is %s", (birth, on, years) => {
  expect(age(birth, on)).toBe(years);
});

test("units are printed, unknown ones as they are", () => {
  expect(unit("cm3")).toBe("cm³");
  expect(unit("[hnsf'U]")).toBe("HU");
  expect(unit("mg/dL")).toBe("mg/dL");
  expect(unit("{ratio}")).toBe("");
});

test("numbers have the decimal mark of the language, no digit more or less", () => {
  expect(decimal("2481.60", "vi")).toBe("2481,60");
  expect(decimal("2481.60", "en")).toBe("2481.60");
  expect(duration(8, "vi")).toBe("8,0 s");
  expect(duration(125, "en")).toBe("2 min 05 s");
  expect(duration(59.4, "en")).toBe("59 s");
});

test("an instant is shown day first, in local time", () => {
  expect(instant(new Date(2026, 10, 3, 7, 5, 9).toISOString())).toBe(
    "03/11 07:05:09",
  );
});

test.each([
  ["12,5", 12.5],
  [" -812 ", -812],
  ["+3.0", 3],
  ["1,2,3", null],
  ["12 cm", null],
  ["", null],
  ["1e3", null],
])("typed %j means %j", (typed, value) => {
  expect(parseValue(typed)).toBe(value);
});
