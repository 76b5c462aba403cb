import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Frame, History } from '../src/api/generated';
import { HOST, summaryOf, Timeline } from '../src/model/timeline';

const METRICS = ['power_watts'];

function frame(time: number, watts: number | string): Frame {
  return {
    type: 'frame',
    time_seconds: time,
    devices: { gpu: { power_watts: watts } },
    host: {},
    host_cores_percent: []
  } as Frame;
}

function drawn(...ticks: [number, number | string][]): Timeline {
  const timeline = new Timeline(5);
  for (const [time, watts] of ticks) {
    timeline.push(frame(time, watts), METRICS, -Infinity);
  }
  return timeline;
}

test('ticks of one step become its minimum, mean and maximum', () => {
  const track = drawn([100, 10], [101, 30], [104, 20], [105, 7]).track('gpu');
  const { min, mean, max } = track.metric('power_watts');
  assert.deepEqual(track.times, [100, 105]);
  assert.deepEqual([min[0], mean[0], max[0]], [10, 20, 30]);
  assert.deepEqual([min[1], mean[1], max[1]], [7, 7, 7]);
});

test('a missing reading is a gap, not a zero, and does not touch the mean', () => {
  const track = drawn([100, 10], [101, 'not_yet'], [105, 'device_lost']).track(
    'gpu'
  );
  const { mean } = track.metric('power_watts');
  assert.deepEqual(mean, [10, null]);
});

test('the history of the server comes first, and its last step continues', () => {
  const timeline = new Timeline(5);
  const columns = {
    times_seconds: [95, 100],
    metrics: { power_watts: { min: [1, 2], mean: [2, 3], max: [3, 4] } }
  };
  const empty = { times_seconds: [], metrics: {} };
  const history: History = {
    step_seconds: 5,
    devices: { gpu: columns },
    host: empty
  };
  timeline.seed(history);
  timeline.push(frame(103, 9), METRICS, -Infinity);
  const track = timeline.track('gpu');
  assert.deepEqual(track.times, [95, 100]);
  assert.equal(track.metric('power_watts').max[1], 9);
  assert.equal(track.metric('power_watts').min[1], 2);
  assert.equal(timeline.newest, 100);
});

test('steps older than the window are removed', () => {
  const timeline = drawn([100, 1], [105, 2], [110, 3]);
  timeline.push(frame(115, 4), METRICS, 106);
  assert.deepEqual(timeline.track('gpu').times, [110, 115]);
  assert.deepEqual(timeline.track('gpu').metric('power_watts').mean, [3, 4]);
});

test('a paused window is bounded, too', () => {
  const timeline = new Timeline(1);
  for (let second = 0; second < 7000; second += 1) {
    timeline.push(frame(second, second), METRICS, 0);
  }
  const { length } = timeline.track('gpu').times;
  assert.ok(length <= 6900, String(length));
});

test('a clock that was set back starts a new curve', () => {
  const track = drawn([100, 1], [105, 2], [50, 3]).track('gpu');
  assert.deepEqual(track.times, [50]);
  assert.deepEqual(track.metric('power_watts').mean, [3]);
});

test('a summary covers the visible span', () => {
  const timeline = drawn([100, 10], [105, 'not_yet'], [110, 40], [115, 90]);
  assert.deepEqual(summaryOf(timeline.track('gpu'), 'power_watts', 100, 110), {
    now: 40,
    min: 10,
    mean: 25,
    max: 40
  });
  const nothing = { now: null, min: null, mean: null, max: null };
  assert.deepEqual(
    summaryOf(timeline.track(HOST), 'power_watts', 0, 200),
    nothing
  );
});

test('a reading is held until the next one if that is late, and a long silence is a gap', () => {
  const timeline = new Timeline(0);
  for (const [time, watts] of [
    [100, 1],
    [101, 2],
    [106, 3],
    [300, 4]
  ]) {
    timeline.push(frame(time, watts), METRICS, -Infinity);
  }
  const track = timeline.track('gpu');
  assert.deepEqual(track.times, [100, 101, 105.999, 106, 299.999, 300]);
  const values = track.metric('power_watts').mean;
  assert.deepEqual(values, [1, 2, 2, 3, null, 4]);
  const seeded = new Timeline(0);
  const columns = { times_seconds: [100, 101, 106, 300], metrics: {} };
  const column = [1, 2, 3, 4];
  seeded.seed({
    step_seconds: 0,
    devices: {
      gpu: {
        ...columns,
        metrics: { power_watts: { min: column, mean: column, max: column } }
      }
    },
    host: { times_seconds: [], metrics: {} }
  });
  assert.deepEqual(seeded.track('gpu').metric('power_watts').mean, values);
});

test('long steps are joined as usual', () => {
  const timeline = new Timeline(60);
  for (const time of [60, 120, 180]) {
    timeline.push(frame(time, time), METRICS, -Infinity);
  }
  assert.deepEqual(timeline.track('gpu').times, [60, 120, 180]);
});
