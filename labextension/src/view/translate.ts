import type { MessageInfo } from '../api/generated';
import { trans } from '../translation';

type Described<K extends string, T, M> = { readonly [P in K]?: T | null } & {
  readonly [P in `${K}_message`]?: M | null;
};

/**
 * Translate a text from the server: `object[name]`. If the text contains figures,
 * `object[name + '_message']` has its template and their values. Text without a translation stays English.
 */
export function translate<K extends string>(
  object: Described<K, string, MessageInfo>,
  name: K
): string {
  const described = object[`${name}_message`] as MessageInfo | null | undefined;
  return described ? filled(described) : lookUp((object[name] as string) ?? '');
}

/** Translate each text of a list, as `translate` does. */
export function translateAll<K extends string>(
  object: Described<K, readonly string[], readonly (MessageInfo | null)[]>,
  name: K
): string[] {
  const texts = (object[name] ?? []) as readonly string[];
  const described = object[`${name}_message`] as
    (MessageInfo | null)[] | undefined;
  return texts.map((text, i) =>
    translate({ text, text_message: described?.[i] }, 'text')
  );
}

function filled({ template, plural, parameters }: MessageInfo): string {
  const values = parameters as Record<string, unknown>;
  const text = plural
    ? trans._n(template, plural, Number(values.count))
    : lookUp(template);
  if (Object.keys(values).length === 0) {
    return text; // a constant text, in which braces have no meaning
  }
  return text.replace(/\{\{|\}\}|\{(\w+)\}/g, (field: string, name?: string) =>
    name === undefined ? field[0] : formatValue(values[name] ?? field)
  );
}

function formatValue(value: unknown): string {
  if (Array.isArray(value)) {
    return value.map(formatValue).join(trans.__(', '));
  }
  return typeof value === 'object'
    ? filled(value as MessageInfo)
    : String(value);
}

/**
 * Look up a text in the catalogue. Text that contains `%1`, such as a path, is returned unchanged:
 * the `%1` would be mistaken for a placeholder.
 */
function lookUp(text: string): string {
  return text === '' || /%\d/.test(text) ? text : trans.__(text);
}
