import { teachOHIF } from "../../../../platform/web/viewer/src/ohif/language";

const taught: unknown[][] = [];

/** The bundler's chunk list: pushing a chunk runs its function with `require`. */
function bundle(modules: Record<number, unknown>) {
  return {
    push: ([, , run]: [
      unknown,
      unknown,
      (require: (id: number) => unknown) => void,
    ]) => run((id) => modules[id] ?? {}),
  };
}

const translator = {
  addResourceBundle: (...args: unknown[]) => taught.push(args),
  changeLanguage: async (code: string) => taught.push(["changed", code]),
};

const TEXTS = { "ohif.Buttons.Zoom-in": "Phóng to vùng", "viewer.back": "x" };

beforeEach(() => taught.splice(0));
afterEach(() => vi.unstubAllGlobals());

test("Vietnamese words reach their namespaces, and the language changes", () => {
  vi.stubGlobal("rspackChunk", bundle({ 26104: { A: translator } }));
  expect(teachOHIF("vi", TEXTS)).toBe(true);
  expect(taught).toEqual([
    ["vi", "Buttons", { "Zoom-in": "Phóng to vùng" }, true, true],
    ["changed", "vi"],
  ]);
});

test("English stays OHIF’s own", () => {
  vi.stubGlobal("rspackChunk", bundle({ 26104: { A: translator } }));
  teachOHIF("en", TEXTS);
  expect(taught).toEqual([["changed", "en-US"]]);
});

test("another bundle leaves the viewer in English instead of breaking it", () => {
  vi.stubGlobal("rspackChunk", bundle({}));
  expect(teachOHIF("vi", TEXTS)).toBe(false);
  vi.unstubAllGlobals();
  expect(teachOHIF("vi", TEXTS)).toBe(false);
});
