import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { BenchmarkInfo, ParameterInfo } from '../src/api/generated';
import { defaultsOf, parametersOf, problemOf } from '../src/model/form';

const workers: ParameterInfo = {
  name: 'workers',
  type: 'integer',
  default: 4,
  minimum: 0,
  maximum: 128,
  choices: [],
  help: ''
};
const pin: ParameterInfo = {
  ...workers,
  name: 'pin_memory',
  type: 'boolean',
  default: false
};
const benchmark: BenchmarkInfo = {
  name: 'dataloader',
  label: '',
  help: '',
  requires: [],
  parameters: [workers, pin]
};

test('a form starts with the defaults and sends numbers as numbers', () => {
  const typed = defaultsOf(benchmark);
  assert.deepEqual(typed, { workers: '4', pin_memory: false });
  assert.deepEqual(parametersOf(benchmark, { ...typed, workers: '8' }), {
    workers: 8,
    pin_memory: false
  });
});

test('what is no number, no whole number or out of range is said', () => {
  assert.equal(problemOf(workers, '8'), null);
  assert.match(problemOf(workers, '') ?? '', /number/);
  assert.match(problemOf(workers, 'four') ?? '', /number/);
  assert.match(problemOf(workers, '1.5') ?? '', /whole/);
  assert.match(problemOf(workers, '129') ?? '', /from 0 to 128/);
  assert.equal(problemOf({ ...workers, type: 'number' }, '1.5'), null);
});
