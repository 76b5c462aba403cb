import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  commandOf,
  isTypeable,
  visibleCode,
  webAddress
} from '../src/model/foreignText';

test('only the address of a web page becomes a link', () => {
  assert.equal(webAddress('https://a.org/x#y'), 'https://a.org/x#y');
  for (const link of [
    'javascript:alert(1)',
    ' javascript:alert(1)',
    'java\nscript:alert(1)',
    'data:text/html,<script>alert(1)</script>',
    'vbscript:x',
    '//a.org',
    'lab/tree/a.ipynb',
    'https:a.org',
    'https://a b',
    ''
  ]) {
    assert.equal(webAddress(link), null, link);
  }
});

test('commands become one line, which the reader runs', () => {
  assert.equal(
    commandOf('pip uninstall a\n  pip install b\n'),
    'pip uninstall a && pip install b'
  );
});

test('a fix to be chosen, filled in, or put into a cell is not typed', () => {
  for (const fix of ['a\n# or:\nb', '%pip install a', 'export A=…']) {
    assert.equal(commandOf(fix), null, fix);
  }
});

test('nothing that a terminal obeys is typed', () => {
  const odd = ['\r', '\t', '\0', '\x03', '\x04', '\x1b[A', '\x7f', '\x85'];
  for (const each of [...odd, '\u2028', '\u2029', '\u202e', '\u2066']) {
    assert.equal(commandOf(`echo a${each}b`), null, JSON.stringify(each));
    assert.equal(isTypeable(`echo a${each}b`), false, JSON.stringify(each));
  }
  assert.equal(isTypeable('echo a\nb'), false);
  assert.equal(commandOf('echo a\ufffdb'), null);
  assert.equal(isTypeable("echo 'ü 中文 🙂'"), true);
});

test('code keeps its lines, and shows what else it contains', () => {
  assert.equal(
    visibleCode('a = 1\r\n\tb = 2\r# \u202e\x1b'),
    'a = 1\n\tb = 2\n# \ufffd\ufffd'
  );
});
