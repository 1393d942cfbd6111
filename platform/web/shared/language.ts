/** The one catalogue, from the server; Vietnamese first, English second. */
import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';

import { api } from './api';

export const LANGUAGES = ['vi', 'en'] as const;
export type Language = (typeof LANGUAGES)[number];

/** The language chosen on this machine, else the page's, else the site's. */
export async function chosenLanguage(): Promise<Language> {
  const asked = new URLSearchParams(window.location.search).get('lng');
  const kept = /(?:^|; )ennead_lang=(\w+)/.exec(document.cookie)?.[1];
  const found = LANGUAGES.find((language) => language === (kept ?? asked));
  return found ?? (await api.get<{ default: Language }>('/texts')).default;
}

/** Load the catalogue of a language and speak it from now on; the server answers in it too. */
export async function speak(language: Language): Promise<void> {
  const texts = await api.get<Record<string, string>>(`/texts/${language}`);
  if (!i18next.isInitialized) {
    await i18next.use(initReactI18next).init({
      lng: language,
      resources: { [language]: { translation: texts } },
      keySeparator: false,
      nsSeparator: false,
      interpolation: { prefix: '{', suffix: '}', escapeValue: false },
    });
  } else {
    i18next.addResourceBundle(language, 'translation', texts, true, true);
    await i18next.changeLanguage(language);
  }
  document.documentElement.lang = language;
  document.cookie = `ennead_lang=${language}; path=/; max-age=31536000; SameSite=Strict`;
}
