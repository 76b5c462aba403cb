import { nullTranslator, TranslationBundle } from '@jupyterlab/translation';

/** The extension's name: of its translations, and of what it stores in the browser. */
export const NAMESPACE = 'jupyter_gpuperf';

/** The extension's translations. One bundle per page: a change of language reloads the page. */
export let trans: TranslationBundle = nullTranslator.load(NAMESPACE);

/** Set the reader's language, before anything is drawn. */
export function setTranslation(bundle: TranslationBundle): void {
  trans = bundle;
}

/** Translate a word from the server or from a name. */
export function translated(text: string): string {
  return trans.__(text);
}
