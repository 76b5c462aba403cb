import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { BenchmarkResult } from '../src/api/generated';
import { binsOf } from '../src/model/bins';
import { csvOf, markdownOf } from '../src/model/export';
import { roofsOf, shareOf } from '../src/model/limits';
import { formatBoth, formatChange } from '../src/view/changed';
import { formatLeft } from '../src/view/levers';
import { formatSpan } from '../src/view/progress';

const result: BenchmarkResult = {
  benchmark: 'matmul',
  parameters: { precision: 'bf16', rigorous: false },
  unit: 'flops_per_second',
  figures: {
    bf16_flops_per_second: { value: 500e12, low: 490e12, high: 510e12 }
  },
  samples: { bf16_seconds: [0.001, 0.0011, 0.0012] },
  environment: {
    device_name: 'NVIDIA | H100',
    interpreter: '/somewhere/python',
    torch: '2.11',
    bf16_flop_per_byte: 100
  },
  limits: { bf16_flops_per_second: 1000e12, memory_bytes_per_second: 3e12 },
  warnings: ['Another process used it.']
};

test('every sample is in one bin, and the highest in the last', () => {
  const bins = binsOf([1, 2, 2, 3, 5]);
  assert.equal(
    bins?.counts.reduce((sum, each) => sum + each, 0),
    5
  );
  assert.equal(bins?.counts.at(-1), 1);
  assert.deepEqual([bins?.low, bins?.high], [1, 5]);
});

test('a name from another program is no formula in a spreadsheet', () => {
  const samples = { '=cmd()': [1], 'a,"b"': [2], plain_seconds: [3] };
  assert.deepEqual(
    csvOf({ ...result, samples })
      .trim()
      .split('\n')
      .slice(1),
    ["'=cmd(),0,1", '"a,""b""",0,2', 'plain_seconds,0,3']
  );
});

test('without a distribution there are no bins', () => {
  for (const samples of [[], [1], [1, 2], [3, 3, 3, 3], [1, 2, Infinity]]) {
    assert.equal(binsOf(samples), null);
  }
});

test('the limit of a time is a minimum, that of a rate a maximum', () => {
  assert.equal(shareOf('pass_seconds', 4, 1), 0.25);
  assert.equal(shareOf('bf16_flops_per_second', 50, 100), 0.5);
});

test('a figure is compared with the lower of its two limits', () => {
  const [roof] = roofsOf(result);
  assert.equal(roof.boundByMemory, true);
  assert.equal(roof.attainable, 300e12);
  const environment = { bf16_flop_per_byte: 1000 };
  assert.equal(roofsOf({ ...result, environment })[0].attainable, 1000e12);
});

test('without operations, bytes or limits there is no roofline', () => {
  assert.deepEqual(roofsOf({ ...result, environment: {} }), []);
  assert.deepEqual(roofsOf({ ...result, limits: {} }), []);
});

test('Markdown contains figures, limits, warnings and environment, and nothing breaks the table', () => {
  const text = markdownOf(
    result,
    text => text,
    (share, limit) => `${share} of ${limit}`,
    ['figure', 'value', 'interval', 'n', 'limit']
  );
  assert.match(text, /^\*\*matmul\*\* precision bf16\n/);
  assert.match(
    text,
    /\| Bf16 \| 500 TFLOP\/s \| \[490, 510\] \| {2}\| 50 % of 1\.00 PFLOP\/s \|/
  );
  assert.match(text, /- ⚠ Another process used it\./);
  assert.match(text, /NVIDIA \\\| H100 · torch 2\.11/);
  assert.doesNotMatch(text, /somewhere/);
});

test('samples are written one per line', () => {
  assert.deepEqual(csvOf(result).split('\n').slice(0, 2), [
    'figure,sample,value',
    'bf16_seconds,0,0.001'
  ]);
});

test('a change is described in the direction that a reader expects', () => {
  const change = {
    benchmark: 'compute',
    parameters: {},
    figure: 'pass_seconds',
    unit: 'seconds',
    before: { value: 0.01, low: 0.01, high: 0.01 },
    after: { value: 0.0103, low: 0.01, high: 0.01 },
    ratio: { value: 1.031, low: 1.02, high: 1.04 },
    verdict: 'worse' as const,
    warnings: []
  };
  assert.equal(formatChange(change), '3.10 % slower');
  assert.equal(formatBoth(change), '10.0 ms → 10.3 ms');
  const rate = { ...change, figure: 'images_per_second' };
  const fell = { ...rate, ratio: { value: 0.97, low: 0.96, high: 0.98 } };
  assert.equal(formatChange(fell), '3.00 % slower');
  const memory = { ...change, figure: 'peak_bytes' };
  assert.equal(formatChange(memory), '3.10 % more');
  assert.equal(formatChange({ ...change, verdict: 'same' }), 'no difference');
  assert.equal(formatChange({ ...change, verdict: 'unknown' }), 'inconclusive');
});

test('a waiting time is not shown more precisely than it is known', () => {
  assert.equal(formatSpan(0.2), '1 s');
  assert.equal(formatSpan(61), '61 s');
  assert.equal(formatSpan(150), '3 min');
  assert.equal(formatSpan(4800), '80 min');
  assert.equal(formatSpan(8000), '2 h 13 min');
});

test('levers that were left out are listed with their cost, those that were timed first', () => {
  const lever = { taken: false, speedup: null, speedup_so_far: null };
  const slower = { value: 0.444, low: 0.4, high: 0.5 };
  const equal = { value: 1.002, low: 0.98, high: 1.03 };
  assert.deepEqual(
    formatLeft([
      { ...lever, name: 'tf32', why: 'Not supported.' },
      { ...lever, name: 'bf16', why: 'It is slower.', speedup: slower },
      { ...lever, name: 'compile', why: 'It is faster.', taken: true },
      { ...lever, name: 'fused', why: 'No gain.', speedup: equal }
    ]),
    [
      '✗ bf16 0.444 ×: It is slower.',
      'fused 1.00 ×: No gain.',
      'tf32: Not supported.'
    ]
  );
});
