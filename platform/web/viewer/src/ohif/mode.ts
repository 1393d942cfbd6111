/**
 * Our mode: OHIF's longitudinal one with our panel first.
 *
 * Parametric maps are left out on purpose: OHIF 3.13.2 places their frames by file order, not by
 * position, so a peak can stand on the wrong slice.
 */
import type { ConfigureContext, Mode } from './types';

const UNSAFE = /dicom-pmap/;

export async function mode(
  peerImport: ConfigureContext['peerImport'],
  panel: string,
): Promise<Mode> {
  const base = await peerImport('@ohif/mode-longitudinal');
  const instance = base.modeInstance;
  const [route] = instance.routes;
  if (!route) throw new Error('OHIF: the longitudinal mode has no route to build on.');
  const props = route.layoutInstance.props;
  return {
    ...base,
    id: 'ennead',
    modeInstance: {
      ...instance,
      id: 'ennead',
      routeName: 'viewer',
      displayName: 'Ennead',
      sopClassHandlers: instance.sopClassHandlers.filter((name) => !UNSAFE.test(name)),
      routes: [
        {
          ...route,
          layoutInstance: {
            ...route.layoutInstance,
            props: {
              ...props,
              rightPanels: [panel, ...props.rightPanels],
              rightPanelClosed: false,
              rightPanelInitialExpandedWidth: 360,
              leftPanelClosed: window.innerWidth < 1200,
              viewports: props.viewports.filter((v) => !UNSAFE.test(v.namespace)),
            },
          },
        },
      ],
    },
  };
}
