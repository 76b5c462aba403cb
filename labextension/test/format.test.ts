import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  fieldLabelOf,
  formatInterval,
  formatReading,
  formatShare,
  grouped,
  labelOf,
  shortName,
  widestOf
} from '../src/format';

const of = (whole: string) => `of ${whole}`;

test('sizes are in binary units', () => {
  assert.deepEqual(formatReading(13_200_000_000, 'bytes'), {
    text: '12.3',
    unit: 'GiB'
  });
  assert.deepEqual(formatReading(0, 'bytes'), { text: '0', unit: 'B' });
});

test('used and total share the unit of the total', () => {
  const share = formatShare(13_200_000_000, 85_520_809_984, 'bytes', of);
  assert.deepEqual(share, { text: '12.3', unit: 'of 80 GiB' });
  assert.deepEqual(formatShare(542.1, 700, 'watts', of), {
    text: '542',
    unit: 'of 700 W'
  });
});

test('times take the unit that reads best', () => {
  assert.deepEqual(formatReading(1.5, 'seconds'), { text: '1.50', unit: 's' });
  assert.deepEqual(formatReading(0.01123, 'seconds'), {
    text: '11.2',
    unit: 'ms'
  });
  assert.deepEqual(formatReading(0.0000049, 'seconds'), {
    text: '4.90',
    unit: 'µs'
  });
});

test('an interval is in the unit of its value', () => {
  const figure = formatInterval('batch_seconds', {
    value: 0.0112,
    low: 0.0109,
    high: 0.0116
  });
  assert.deepEqual(figure, { text: '11.2', unit: 'ms', range: '[10.9, 11.6]' });
  const rate = formatInterval('images_per_second', {
    value: 5710,
    low: 5500,
    high: 5900
  });
  assert.equal(rate.unit, '/s');
  assert.equal(rate.text, '5\u202f710');
});

test('large numbers are grouped, small ones keep three digits', () => {
  assert.equal(grouped(1234567), '1\u202f234\u202f567');
  assert.equal(grouped(0.1234), '0.123');
});

test('device names are shortened', () => {
  assert.equal(shortName('NVIDIA H100 80GB HBM3'), 'H100');
  assert.equal(shortName('NVIDIA GeForce RTX 4090'), 'RTX 4090');
  assert.equal(shortName('Tesla T4'), 'T4');
  assert.equal(shortName('NVIDIA A100-SXM4-80GB'), 'A100-SXM4-80GB');
});

test('a figure’s name becomes a label without its unit', () => {
  assert.equal(labelOf('startup_seconds'), 'Startup');
  assert.equal(labelOf('images_per_second'), 'Images per second');
});

test('a field shows the unit in its parameter’s name', () => {
  assert.equal(fieldLabelOf('time_limit_seconds'), 'Time limit (s)');
  assert.equal(fieldLabelOf('batch_size'), 'Batch size');
});

test('the space reserved for a figure is that of the widest', () => {
  assert.equal(widestOf(100, 'percent'), 3);
  assert.equal(widestOf(1980, 'mhz'), 4);
  assert.equal(widestOf(85_520_809_984, 'bytes'), 4);
  assert.equal(widestOf(null, 'celsius'), 2);
});
