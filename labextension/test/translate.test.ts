import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import type { TranslationBundle } from '@jupyterlab/translation';
import { setTranslation } from '../src/translation';
import { learnTemplates, translateSentence } from '../src/view/translate';

const PATH = '../jupyter_gpuperf/locale/zh_CN/LC_MESSAGES/jupyter_gpuperf.json';
const catalogue = JSON.parse(readFileSync(PATH, 'utf8')) as Record<
  string,
  string[]
>;
learnTemplates(
  JSON.parse(
    readFileSync('../jupyter_gpuperf/routes/sentences.json', 'utf8')
  ) as string[]
);
/** As Lab's own does it. */
setTranslation({
  __: (text: string, ...parts: string[]) =>
    (catalogue[text]?.[0] ?? text).replace(
      /%(\d+)/g,
      (_, place) => parts[Number(place) - 1]
    )
} as unknown as TranslationBundle);

test('the figures of a sentence are put into its translation', () => {
  assert.equal(
    translateSentence('Memory is nearly full: 78.2 of 79.6 GiB.'),
    '显存即将用尽：78.2 / 79.6 GiB。'
  );
});

test('words that are filled in are translated, too', () => {
  assert.equal(
    translateSentence(
      'The driver reported XID 79: the device fell off the bus.'
    ),
    '驱动报告了 XID 79：设备从总线上脱落。'
  );
  assert.equal(
    translateSentence('host to device pinned: 55.3 GB/s'),
    '主机到设备（锁页）：55.3 GB/s'
  );
});

test('what nobody translated stays as it came', () => {
  assert.equal(translateSentence('KeyError: epoch'), 'KeyError: epoch');
  assert.equal(translateSentence('Bad file /tmp/a%20b'), 'Bad file /tmp/a%20b');
  assert.equal(translateSentence(''), '');
});

test('a path with a percent sign is not taken for a place', () => {
  assert.equal(
    translateSentence('The recording /data/a%20b holds no GPU.'),
    '录制 /data/a%20b 中没有 GPU。'
  );
});
