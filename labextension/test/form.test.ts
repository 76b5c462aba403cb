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

test('values that are not numbers, not whole or out of range are found', () => {
  assert.equal(problemOf(workers, '8'), null);
  assert.equal(problemOf(workers, ''), 'not_a_number');
  assert.equal(problemOf(workers, 'four'), 'not_a_number');
  assert.equal(problemOf(workers, '1.5'), 'not_whole');
  assert.equal(problemOf(workers, '129'), 'out_of_range');
  assert.equal(problemOf(workers, '-1'), 'out_of_range');
  assert.equal(problemOf({ ...workers, type: 'number' }, '1.5'), null);
  assert.equal(problemOf({ ...workers, maximum: null }, '129'), null);
});
