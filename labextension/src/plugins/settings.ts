import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import type { PartialJSONObject, PartialJSONValue } from '@lumino/coreutils';

import { PLUGIN_ID } from '../tokens';
import { trans } from '../translation';

/** The keys of a schema whose values are texts for people. */
const TEXT_KEYS = ['title', 'description', 'jupyter.lab.setting-icon-label'];

/**
 * Translate the settings' titles and descriptions. JupyterLab's server uses only its own language
 * pack for this, which does not include our texts.
 */
export function translateSettings(settings: ISettingRegistry): void {
  settings.transform(PLUGIN_ID, {
    fetch: plugin => ({
      ...plugin,
      schema: {
        ...(translatedPart(plugin.schema) as ISettingRegistry.ISchema),
        title: trans._p('schema', plugin.schema.title ?? ''),
        description: trans._p('schema', plugin.schema.description ?? '')
      }
    })
  });
}

/** A copy of a part of a schema with translated texts; values are not changed. */
function translatedPart(part: PartialJSONObject): PartialJSONObject {
  return Object.fromEntries(
    Object.entries(part).map(([key, value]) => {
      if (typeof value === 'string' && TEXT_KEYS.includes(key)) {
        return [key, trans._p('settings', value)];
      }
      return [key, isPart(key, value) ? translatedPart(value) : value];
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

/** Apply the user's settings, now and whenever they change; do nothing if they can't be read. */
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
