/**
 * Vietnamese for OHIF's own words.
 *
 * Its i18next is inside the bundle; the bundler's chunk hook hands it out. Texts are the catalogue's
 * `ohif.<Namespace>.<English key>`.
 */
import type { Language } from '../../../shared/language';

interface OHIFTranslator {
  addResourceBundle: (
    language: string,
    namespace: string,
    texts: Record<string, string>,
    deep: boolean,
    overwrite: boolean,
  ) => void;
  changeLanguage: (language: string) => Promise<unknown>;
}

type Require = (module: number) => { A?: OHIFTranslator };

/** Module number of i18next in @ohif/app 3.13.2. */
const I18NEXT = 26104;

function theirs(): OHIFTranslator | undefined {
  let found: OHIFTranslator | undefined;
  const chunks = (globalThis as { rspackChunk?: unknown[] }).rspackChunk;
  chunks?.push([
    ['ennead'],
    {},
    (require: Require) => {
      found = require(I18NEXT).A;
    },
  ]);
  return found;
}

/** Give OHIF our words of a language; false when this bundle is not the one we know. */
export function teachOHIF(language: Language, texts: Record<string, string>): boolean {
  const translator = theirs();
  if (!translator) return false;
  const spaces = new Map<string, Record<string, string>>();
  for (const [key, text] of Object.entries(texts)) {
    const parts = /^ohif\.(\w+)\.(.+)$/.exec(key);
    if (!parts?.[1] || !parts[2]) continue;
    const space = spaces.get(parts[1]) ?? {};
    space[parts[2]] = text;
    spaces.set(parts[1], space);
  }
  const code = language === 'en' ? 'en-US' : language;
  if (language !== 'en') {
    for (const [space, words] of spaces) {
      translator.addResourceBundle(code, space, words, true, true);
    }
  }
  void translator.changeLanguage(code);
  return true;
}
