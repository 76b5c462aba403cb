import { nullTranslator, TranslationBundle } from '@jupyterlab/translation';

/** The extension's name: of its translations, and of what it stores in the browser. */
export const NAMESPACE = 'jupyter_gpuperf';

/** The extension's translations. One bundle per page: a change of language reloads the page. */
export let trans: TranslationBundle = nullTranslator.load(NAMESPACE);

/** Set the reader's language, before anything is drawn. */
export function setTranslation(bundle: TranslationBundle): void {
  trans = bundle;
}

/** Translate a word from the server or from a name; `float32 2 threads` by its number. */
export function translated(words: string): string {
  const [, name, count, unit] =
    /^(.+) (\d+) (thread|worker)s?$/.exec(words) ?? [];
  if (name === undefined) {
    return trans.__(words);
  }
  return unit === 'thread'
    ? trans._n('%2 %1 thread', '%2 %1 threads', Number(count), trans.__(name))
    : trans._n('%2 %1 worker', '%2 %1 workers', Number(count), trans.__(name));
}
