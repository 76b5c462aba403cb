import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { DeviceInfo, Frame, MetricInfo } from '../src/api/generated';
import {
  deviceOf,
  levelOf,
  STATUS_BAR_DEFAULTS,
  statusBarSettingsOf
} from '../src/model/statusbar';

const { thresholds } = STATUS_BAR_DEFAULTS;
const memory = {
  name: 'memory_used_bytes',
  unit: 'bytes',
  maximum_metric: 'memory_total_bytes'
} as MetricInfo;
const temperature = {
  name: 'temperature_celsius',
  unit: 'celsius'
} as MetricInfo;
const devices = ['A', 'B', 'C'].map(
  (uuid, index) => ({ uuid, index }) as DeviceInfo
);

function frameOf(...busy: number[]): Frame {
  const readings = busy.map((each, i) => [
    devices[i].uuid,
    { utilization_percent: each }
  ]);
  return { devices: Object.fromEntries(readings) } as Frame;
}

test('memory is marked by the share of its total', () => {
  const level = (used: number) =>
    levelOf(
      memory,
      { memory_used_bytes: used, memory_total_bytes: 1000 },
      thresholds
    );
  assert.equal(level(899), null);
  assert.equal(level(900), 'warning');
  assert.equal(level(970), 'critical');
  assert.equal(
    levelOf(memory, { memory_used_bytes: 999 }, thresholds),
    null // of an unknown total
  );
});

test('temperature is marked by its margin to the slowdown', () => {
  const level = (readings: Record<string, number | string>) =>
    levelOf(temperature, readings, thresholds);
  assert.equal(level({ temperature_celsius: 95 }), null);
  assert.equal(level({ temperature_margin_celsius: 5 }), 'warning');
  assert.equal(level({ temperature_margin_celsius: -1 }), 'critical');
  // An older driver reports only the limit.
  const limit = { temperature_slowdown_celsius: 95 };
  assert.equal(level({ ...limit, temperature_celsius: 89 }), null);
  assert.equal(level({ ...limit, temperature_celsius: 90 }), 'warning');
});

test('a threshold of its own marks the temperature, too; the worse counts', () => {
  const own = { ...thresholds, temperature_celsius: { warning: 60 } };
  const readings = { temperature_celsius: 70, temperature_margin_celsius: 20 };
  assert.equal(levelOf(temperature, readings, own), 'warning');
  const hot = { temperature_celsius: 70, temperature_margin_celsius: 0 };
  assert.equal(levelOf(temperature, hot, own), 'critical');
});

test('a device is found by position, index or UUID', () => {
  assert.equal(deviceOf(devices, null, 'first')?.uuid, 'A');
  assert.equal(deviceOf(devices, null, '1')?.uuid, 'B');
  assert.equal(deviceOf(devices, null, 'C')?.uuid, 'C');
  assert.equal(deviceOf(devices, null, '7'), undefined);
});

test('the busiest stays until another is clearly busier', () => {
  assert.equal(deviceOf(devices, frameOf(10, 60, 50), 'busiest')?.uuid, 'B');
  const next = frameOf(10, 60, 65);
  assert.equal(deviceOf(devices, next, 'busiest', 'B')?.uuid, 'B');
  const later = frameOf(10, 60, 75);
  assert.equal(deviceOf(devices, later, 'busiest', 'B')?.uuid, 'C');
});

test('settings written by hand do not break it', () => {
  assert.deepEqual(statusBarSettingsOf({}), STATUS_BAR_DEFAULTS);
  const odd = statusBarSettingsOf({
    statusBarMetrics: ['power_watts', 'power_watts', 7],
    statusBarDevice: 3,
    statusBarThresholds: null
  });
  assert.deepEqual(odd.metrics, ['power_watts', '7']);
  assert.equal(odd.device, 'first');
  assert.deepEqual(odd.thresholds, thresholds);
});
