import {
  moved,
  newRule,
  replaced,
  sendable,
  without,
} from "../../../../platform/web/portal/src/rules/rules";

const names = (rules: { name: string }[]) =>
  rules.map((rule) => rule.name).join("");
const list = [newRule("a"), newRule("b"), newRule("c")];

describe("a list of rules", () => {
  it("moves a rule up and down, and not past the ends", () => {
    expect(names(moved(list, 2, -1))).toBe("acb");
    expect(names(moved(list, 0, 1))).toBe("bac");
    expect(moved(list, 0, -1)).toBe(list);
    expect(moved(list, 2, 1)).toBe(list);
  });

  it("replaces and removes by place", () => {
    expect(names(replaced(list, 1, newRule("x")))).toBe("axc");
    expect(names(without(list, 0))).toBe("bc");
    expect(names(list)).toBe("abc");
  });

  it("leaves the server's sentence out of what is sent", () => {
    expect(sendable([{ ...newRule("a"), text: "said" }])).toEqual([
      newRule("a"),
    ]);
  });
});
