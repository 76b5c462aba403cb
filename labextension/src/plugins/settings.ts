import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import type { PartialJSONObject, PartialJSONValue } from '@lumino/coreutils';

import { attempt, Rest } from '../api/rest';
import { shortName } from '../format';
import { PLUGIN_ID } from '../tokens';
import { trans } from '../translation';

/** The keys of a schema whose values are texts for people. */
const TEXT_KEYS = ['title', 'description', 'jupyter.lab.setting-icon-label'];

/** The values that a setting offers, with their labels; empty until the server has been asked. */
let choices: Readonly<Record<string, ReadonlyMap<string, string>>> = {};
let asked: Promise<unknown> | undefined;

/** Ask for the metrics and devices that the settings offer. */
async function fetchChoices(rest: Rest): Promise<void> {
  const { metrics } = await rest.catalog();
  const { devices } = await rest.devices();
  choices = {
    statusBarMetrics: new Map(
      metrics.map(each => [each.name, trans.__(each.label)])
    ),
    statusBarDevice: new Map([
      ['first', trans.__('First')],
      ['busiest', trans.__('Busiest')],
      ...devices.map(
        ({ index, name }) =>
          [
            `${index}`,
            `${trans.__('GPU %1', index)} ${shortName(name)}`
          ] as const
      )
    ])
  };
}

/** A setting's schema that offers its choices by their labels. What is set by hand stays valid. */
function withChoices(
  name: string,
  property: ISettingRegistry.IProperty,
  raw: string
): ISettingRegistry.IProperty {
  const known = choices[name];
  if (known === undefined) {
    return property;
  }
  const values = [...raw.matchAll(/"([^"\n]*)"(\s*:)?/g)]
    .filter(([, , isKey]) => !isKey)
    .map(([, value]) => [value, known.get(value) ?? value] as const);
  const oneOf = [...new Map([...known, ...values])].map(([value, title]) => ({
    const: value,
    title
  }));
  return property.items
    ? {
        ...property,
        items: { ...(property.items as PartialJSONObject), oneOf }
      }
    : { ...property, oneOf };
}

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
        properties: Object.fromEntries(
          Object.entries(plugin.schema.properties ?? {}).map(
            ([name, property]) => [
              name,
              withChoices(
                name,
                translatedPart(property) as ISettingRegistry.IProperty,
                plugin.raw
              )
            ]
          )
        ),
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
  rest: Rest,
  apply: (settings: ISettingRegistry.ISettings['composite']) => void
): void {
  asked ??= attempt(() => fetchChoices(rest));
  asked
    .then(() => registry.load(PLUGIN_ID))
    .then(loaded => {
      loaded.changed.connect(() => apply(loaded.composite));
      apply(loaded.composite);
    })
    .catch(error => {
      console.warn('The settings of the GPU panel could not be read.', error);
      apply({});
    });
}
