import { appearance } from "../../../../platform/web/viewer/src/ohif/appearance";
import { panelComponent } from "../../../../platform/web/viewer/src/ohif/element";

interface Element18 {
  $$typeof: symbol;
  ref: (node: object | null) => void;
}

test("the panel is a React 18 element whose ref mounts once and unmounts", () => {
  const log: string[] = [];
  const component = panelComponent(() => {
    log.push("mounted");
    return () => log.push("unmounted");
  });
  const first = component() as Element18;
  const second = component() as Element18;
  expect(first.$$typeof).toBe(Symbol.for("react.element"));
  // The same ref on every render: React then does not mount again.
  expect(second.ref).toBe(first.ref);
  first.ref({});
  first.ref(null);
  expect(log).toEqual(["mounted", "unmounted"]);
});

test("the logo is our way back, and no tour or foreign dialog is shown", () => {
  const made = appearance({ back: "Danh sách ca", unverified: "x" }) as {
    whiteLabeling: {
      createLogoComponentFn: (react: unknown) => {
        type: string;
        properties: { href: string };
      };
    };
  };
  const react = {
    createElement: (type: string, properties: object) => ({ type, properties }),
  };
  const logo = made.whiteLabeling.createLogoComponentFn(react);
  expect(logo).toMatchObject({ type: "a", properties: { href: "/studies" } });
  expect(JSON.stringify(made)).toContain('"ohif.tours":{"$set":[]}');
});
