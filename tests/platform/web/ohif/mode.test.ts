import { mode } from "../../../../platform/web/viewer/src/ohif/mode";
import type { Mode } from "../../../../platform/web/viewer/src/ohif/types";

const PMAP = "@ohif/extension-cornerstone-dicom-pmap";
const base: Mode = {
  id: "@ohif/mode-longitudinal",
  modeInstance: {
    id: "@ohif/mode-longitudinal",
    routeName: "viewer",
    displayName: "Basic Viewer",
    extensions: { "@ohif/extension-default": "^3.0.0" },
    sopClassHandlers: ["stack", `${PMAP}.sopClassHandlerModule.dicom-pmap`],
    routes: [
      {
        path: "longitudinal",
        layoutInstance: {
          id: "layout",
          props: {
            leftPanels: ["series"],
            rightPanels: ["segmentation"],
            viewports: [
              { namespace: "cornerstone", displaySetsToDisplay: ["stack"] },
              {
                namespace: `${PMAP}.viewportModule.dicom-pmap`,
                displaySetsToDisplay: ["pmap"],
              },
            ],
          },
        },
      },
    ],
  },
};

beforeEach(() => vi.stubGlobal("window", { innerWidth: 1440 }));
afterEach(() => vi.unstubAllGlobals());

test("our panel comes first, the others stay, and the original is untouched", async () => {
  const before = JSON.stringify(base);
  const made = await mode(async () => base, "ennead.panelModule.findings");
  const props = made.modeInstance.routes[0]?.layoutInstance.props;
  expect(props?.rightPanels).toEqual([
    "ennead.panelModule.findings",
    "segmentation",
  ]);
  expect(made.modeInstance.routeName).toBe("viewer");
  expect(made.id).toBe("ennead");
  expect(JSON.stringify(base)).toBe(before);
});

test("parametric maps are kept from the viewer, which would misplace them", async () => {
  const made = await mode(async () => base, "panel");
  expect(JSON.stringify(made)).not.toContain("pmap");
});

test("a mode without a route is an error that says so", async () => {
  const broken = {
    ...base,
    modeInstance: { ...base.modeInstance, routes: [] },
  };
  await expect(mode(async () => broken, "panel")).rejects.toThrow("no route");
});
