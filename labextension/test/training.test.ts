import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type {
  LoopSteps,
  NotebookTraining,
  TrainingNow
} from '../src/api/generated';
import type { Rest } from '../src/api/rest';
import type { LiveModel } from '../src/model/live';
import { splitOf, TrainingModel } from '../src/model/training';

const LOOP = {
  busy_ratio: 0.5,
  idle_for_data_ratio: 0.3,
  idle_for_host_ratio: 0.2,
  wait_ratio: 0.4
};

function now(time: number, last = time, loop = LOOP): TrainingNow {
  const loader = { ...loop, last_seconds: last } as LoopSteps;
  const notebook = {
    key: 'k1',
    loaders: [loader],
    cells: []
  } as unknown as NotebookTraining;
  return {
    type: 'training',
    time_seconds: time,
    window_seconds: 10,
    notebooks: [notebook]
  };
}

function model() {
  return new TrainingModel({} as Rest, {} as LiveModel);
}

const EMPTY = { times_seconds: [], metrics: {} };

describe('a step', () => {
  it('is split by the GPU where its events are known', () => {
    assert.deepEqual(splitOf(LOOP), {
      busy: 0.5,
      data: 0.3,
      host: 0.2,
      source: 'gpu'
    });
  });

  it('has no parts that add up to more than the whole', () => {
    const { busy, data } = splitOf({ ...LOOP, busy_ratio: 0.9 });
    assert.deepEqual([busy, data], [0.7, 0.3]);
  });

  it('is split by the host only where they are not', () => {
    const split = splitOf({ ...LOOP, idle_for_data_ratio: null });
    assert.deepEqual(split, {
      busy: null,
      data: 0.4,
      host: null,
      source: 'host'
    });
  });
});

describe('a step without a loader', () => {
  const unknown = {
    idle_for_data_ratio: null,
    idle_for_host_ratio: null,
    wait_ratio: null
  };

  it('has a busy share, and no share that waits for data', () => {
    assert.deepEqual(splitOf({ ...LOOP, ...unknown }), {
      busy: 0.5,
      data: null,
      host: null,
      source: null
    });
  });

  it('has no shares where the device is not read', () => {
    const split = splitOf({ ...LOOP, ...unknown, busy_ratio: null });
    assert.equal(split.busy, null);
    assert.equal(split.data, null);
  });
});

describe('the band', () => {
  it('continues while steps come, and has a gap where the loop paused', () => {
    const training = model();
    training.seed({ now: now(100), history: { k1: EMPTY }, paths: {} });
    training.seed({
      now: now(101, 100.9),
      history: {
        k1: {
          times_seconds: [99, 100],
          metrics: {
            wait_ratio: { min: [0.1, 0.1], mean: [0.1, 0.1], max: [0.1, 0.1] }
          }
        }
      },
      paths: { k1: null }
    });
    assert.deepEqual(
      training.band('k1').map(point => point.time),
      [99, 100, 101]
    );
    assert.equal(training.band('k1')[0].split.source, 'host');
  });

  it('removes points older than it shows', () => {
    const training = model();
    const points = { times_seconds: [10], metrics: {} };
    training.seed({ now: now(200), history: { k1: points }, paths: {} });
    assert.deepEqual(
      training.band('k1').map(point => point.time),
      [200]
    );
  });
});
