/** The few shapes of OHIF 3.13.2 that we touch. */

export interface DisplaySet {
  displaySetInstanceUID: string;
  SeriesInstanceUID: string;
  StudyInstanceUID: string;
  SOPInstanceUID?: string;
  Modality: string;
  referencedDisplaySetInstanceUID?: string;
}

export interface Subscription {
  unsubscribe: () => void;
}

interface PubSub {
  EVENTS: Record<string, string>;
  subscribe: (event: string, listener: () => void) => Subscription;
}

export interface CornerstoneViewport {
  element: HTMLElement;
  getImageIds: () => string[];
  getCurrentImageIdIndex: () => number;
  setViewReference: (reference: { referencedImageId: string }) => void;
  render: () => void;
}

export interface Services {
  displaySetService: PubSub & {
    getActiveDisplaySets: () => DisplaySet[];
    getDisplaySetByUID: (uid: string) => DisplaySet | undefined;
  };
  viewportGridService: PubSub & {
    getActiveViewportId: () => string | null;
    getDisplaySetsUIDsForViewport: (viewportId: string) => string[] | undefined;
    getState: () => { viewports: Map<string, { displaySetInstanceUIDs: string[] }> };
  };
  cornerstoneViewportService: PubSub & {
    getCornerstoneViewport: (viewportId: string) => CornerstoneViewport | null;
  };
  segmentationService: PubSub & {
    getSegmentationRepresentations: (
      viewportId: string,
      which: { segmentationId: string },
    ) => { type: string; segments: Record<string, { visible: boolean }> }[];
    setSegmentVisibility: (
      viewportId: string,
      segmentationId: string,
      segment: number,
      visible: boolean,
      type?: string,
    ) => void;
    setStyle: (which: { type: string }, style: Record<string, number>) => void;
    setSegmentColor: (
      viewportId: string,
      segmentationId: string,
      segment: number,
      colour: [number, number, number, number],
    ) => void;
  };
}

export interface ServicesManager {
  services: Services;
}

export interface CommandsManager {
  runCommand: (name: string, options: Record<string, unknown>) => unknown;
}

export interface DataSource {
  retrieve: {
    series: {
      metadata: (what: {
        StudyInstanceUID: string;
        filters: { seriesInstanceUID: string[] };
      }) => Promise<unknown>;
    };
  };
  deleteStudyMetadataPromise: (key: string) => void;
}

export interface ExtensionManager {
  getActiveDataSource: () => DataSource[];
}

export interface Managers {
  servicesManager: ServicesManager;
  commandsManager: CommandsManager;
  extensionManager: ExtensionManager;
}

export interface Layout {
  leftPanels: string[];
  rightPanels: string[];
  viewports: { namespace: string; displaySetsToDisplay: string[] }[];
  [name: string]: unknown;
}

export interface ModeInstance {
  id: string;
  routeName: string;
  displayName: string;
  sopClassHandlers: string[];
  extensions: Record<string, string>;
  routes: { path: string; layoutInstance: { id: string; props: Layout } }[];
}

export interface Mode {
  id: string;
  modeInstance: ModeInstance;
}

export interface ConfigureContext {
  servicesManager: ServicesManager;
  peerImport: (name: string) => Promise<Mode>;
}
