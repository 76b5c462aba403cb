import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import type { TranslationBundle } from '@jupyterlab/translation';
import type { MessageInfo } from '../src/api/generated';
import { setTranslation } from '../src/translation';
import { translate, translateAll } from '../src/view/translate';

const PATH = '../jupyter_gpuperf/locale/zh_CN/LC_MESSAGES/jupyter_gpuperf.json';
const catalogue = JSON.parse(readFileSync(PATH, 'utf8')) as Record<
  string,
  string[]
>;
/** As Lab's own does it. */
const gettext = (text: string, ...parts: unknown[]) =>
  (catalogue[text]?.[0] ?? text).replace(/%(\d+)/g, (_, place) =>
    String(parts[Number(place) - 1])
  );
setTranslation({
  __: gettext,
  _n: (one: string, many: string, count: number) =>
    catalogue[one] ? gettext(one, count) : count === 1 ? one : many
} as unknown as TranslationBundle);

const show = (template: string, parameters: object, plural?: string) =>
  translate(
    {
      summary: 'English',
      summary_message: { template, parameters, plural } as MessageInfo
    },
    'summary'
  );

test('the figures of a message are put into its translation', () => {
  const template = 'Memory is nearly full: {used} of {total} GiB.';
  assert.equal(
    show(template, { used: '78.2', total: '79.6' }),
    catalogue[template][0].replace('{used}', '78.2').replace('{total}', '79.6')
  );
});

test('a message in a message, and each of a list, are translated', () => {
  const ok = { template: 'Cancel', parameters: {} };
  assert.equal(show('<{a}>', { a: ok }), `<${catalogue['Cancel'][0]}>`);
  assert.equal(
    show('<{a}>', { a: [ok, 'x'] }),
    `<${catalogue['Cancel'][0]}${gettext(', ')}x>`
  );
});

test('a message takes the plural of its count', () => {
  const plural = '{count} GPUs of a test';
  assert.equal(
    show('{count} GPU of a test', { count: 1 }, plural),
    '1 GPU of a test'
  );
  assert.equal(
    show('{count} GPU of a test', { count: 2 }, plural),
    '2 GPUs of a test'
  );
});

test('a text without parameters is looked up, and stays as it came if unknown', () => {
  const of = (text: string) => translate({ text }, 'text');
  assert.equal(of('Cancel'), catalogue['Cancel'][0]);
  assert.equal(of('KeyError: epoch'), 'KeyError: epoch');
  assert.equal(of('Bad file /tmp/a%20b'), 'Bad file /tmp/a%20b');
  assert.equal(of(''), '');
  assert.equal(translate({ text: null }, 'text'), '');
});

test('values stay as they are: percent signs, braces, unknown fields', () => {
  assert.equal(show('<{a}>', { a: '/a%20b {c}' }), '</a%20b {c}>');
  assert.equal(show('{{a}} {b}', { c: '' }), '{a} {b}');
  assert.equal(show('{{a}} {b}', {}), '{{a}} {b}');
});

test('a list is translated text by text', () => {
  const warnings = ['Cancel', 'as it came'];
  assert.deepEqual(translateAll({ warnings }, 'warnings'), [
    catalogue['Cancel'][0],
    'as it came'
  ]);
  assert.deepEqual(
    translateAll(
      {
        warnings,
        warnings_message: [null, { template: 'Cancel', parameters: {} }]
      },
      'warnings'
    ),
    [catalogue['Cancel'][0], catalogue['Cancel'][0]]
  );
});
