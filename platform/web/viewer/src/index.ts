/** What app-config.js hands to the prebuilt viewer. */
import i18next from 'i18next';

import { goToLogin } from '../../shared/api';
import { chosenLanguage, speak } from '../../shared/language';
import { dataSource } from './dataSource';
import { mountPanel } from './mount';
import { appearance, banner } from './ohif/appearance';
import { panelComponent } from './ohif/element';
import { teachOHIF } from './ohif/language';
import { mode } from './ohif/mode';
import type { ConfigureContext, Managers } from './ohif/types';
import './viewer.css';

const PANEL = 'ennead.panelModule.findings';

export async function configure({
  peerImport,
}: ConfigureContext): Promise<Record<string, unknown>> {
  const language = await chosenLanguage();
  const [session] = await Promise.all([fetch('/api/v1/session'), speak(language)]);
  if (session.status === 401) goToLogin();
  teachOHIF(language, i18next.getResourceBundle(language, 'translation') as Record<string, string>);
  const words = { back: i18next.t('viewer.back'), unverified: i18next.t('viewer.banner') };
  banner(words);
  return {
    routerBasename: '/',
    showStudyList: false,
    showErrorDetails: 'production',
    showLoadingIndicator: true,
    showWarningMessageForCrossOrigin: false,
    showCPUFallbackMessage: false,
    strictZSpacingForVolumeViewport: true,
    maxNumberOfWebWorkers: 3,
    maxNumRequests: { interaction: 100, thumbnail: 5, prefetch: 25 },
    extensions: [extension()],
    modes: [await mode(peerImport, PANEL)],
    defaultDataSourceName: 'ennead',
    dataSources: [dataSource],
    ...appearance(words),
  };
}

function extension() {
  return {
    id: 'ennead',
    getPanelModule: (managers: Managers) => [
      {
        name: 'findings',
        iconName: 'tab-linear',
        iconLabel: i18next.t('viewer.panel'),
        label: i18next.t('viewer.panel'),
        component: panelComponent((node) => mountPanel(node, managers)),
      },
    ],
  };
}
