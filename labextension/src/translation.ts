import { nullTranslator, TranslationBundle } from '@jupyterlab/translation';

import { NAMESPACE } from './tokens';

/** The extension's words in the reader's language. One for the page: another language loads it anew. */
export let trans: TranslationBundle = nullTranslator.load(NAMESPACE);

/** Take the reader's language, before anything is drawn. */
export function setTranslation(bundle: TranslationBundle): void {
  trans = bundle;
}

/** A word that the server or a name brings, in the reader's language. */
export function translated(words: string): string {
  return trans.__(words);
}
