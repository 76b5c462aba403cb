import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import type { PartialJSONObject, PartialJSONValue } from '@lumino/coreutils';

import { PLUGIN_ID } from '../tokens';
import { trans } from '../translation';

/** The parts of a schema that are words. */
const WORDS = ['title', 'description', 'jupyter.lab.setting-icon-label'];

/**
 * Have the settings' titles and descriptions shown in the reader's language. Lab's server does
 * that out of its own language pack alone, which does not know us.
 */
export function translateSettings(settings: ISettingRegistry): void {
  settings.transform(PLUGIN_ID, {
    fetch: plugin => ({
      ...plugin,
      schema: {
        ...(inLanguage(plugin.schema) as ISettingRegistry.ISchema),
        title: trans._p('schema', plugin.schema.title ?? ''),
        description: trans._p('schema', plugin.schema.description ?? '')
      }
    })
  });
}

/** A copy of a part of a schema with its words in another language; values stay as they are. */
function inLanguage(part: PartialJSONObject): PartialJSONObject {
  return Object.fromEntries(
    Object.entries(part).map(([key, value]) => {
      if (typeof value === 'string' && WORDS.includes(key)) {
        return [key, trans._p('settings', value)];
      }
      return [key, isPart(key, value) ? inLanguage(value) : value];
    })
  );
}

function isPart(
  key: string,
  value: PartialJSONValue | undefined
): value is PartialJSONObject {
  const isObject =
    typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject && key !== 'default';
}

/** Apply the user's settings, now and whenever they change; none where they can't be read. */
export function followSettings(
  registry: ISettingRegistry,
  apply: (settings: ISettingRegistry.ISettings['composite']) => void
): void {
  registry
    .load(PLUGIN_ID)
    .then(loaded => {
      loaded.changed.connect(() => apply(loaded.composite));
      apply(loaded.composite);
    })
    .catch(error => {
      console.warn('The settings of the GPU panel could not be read.', error);
      apply({});
    });
}
