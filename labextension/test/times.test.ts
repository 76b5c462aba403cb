import assert from 'node:assert/strict';
import { it } from 'node:test';

import { timesOf } from '../src/view/dashboard/times';

const HOUR = 3600;
const MIDNIGHT = new Date(2026, 10, 30).getTime() / 1000;
const DATE = new Intl.DateTimeFormat(undefined, {
  month: 'short',
  day: 'numeric'
}).format(1000 * MIDNIGHT);

function ticks(start: number, step: number): string[] {
  return timesOf([0, 1, 2, 3].map(i => start + i * step));
}

it('ticks within a day are times, with seconds where they are close', () => {
  const noon = MIDNIGHT + 12 * HOUR;
  assert.deepEqual(ticks(noon, HOUR), ['12:00', '13:00', '14:00', '15:00']);
  assert.equal(ticks(noon, 10)[1], '12:00:10');
});

it('midnight is its date', () => {
  const labels = ticks(MIDNIGHT - 3 * HOUR, 3 * HOUR);
  assert.deepEqual(labels, ['21:00', DATE, '03:00', '06:00']);
});

it('the first tick after midnight has date and time', () => {
  const labels = ticks(MIDNIGHT - HOUR, 2 * HOUR);
  assert.deepEqual(labels, ['23:00', `${DATE} 01:00`, '03:00', '05:00']);
});
