import assert from 'node:assert/strict';
import { mock, test } from 'node:test';

import type { JobInfo, Jobs } from '../src/api/generated';
import { Refusal, Rest } from '../src/api/rest';
import { JobsModel } from '../src/model/jobs';

const job = { id: 'a', state: 'running' } as JobInfo;

function setUp(answer: () => Promise<Jobs>) {
  let visible = true;
  let onVisibility = () => {};
  let asked = 0;
  const world = {
    isVisible: () => visible,
    onVisibilityChange: (listener: () => void) => {
      onVisibility = listener;
    }
  };
  const rest = {
    benchmarks: () => Promise.resolve({ benchmarks: [{ name: 'compute' }] }),
    jobs: () => {
      asked += 1;
      return answer();
    },
    suites: () => Promise.resolve({ suites: [] }),
    run: () => Promise.reject(new Refusal('unknown_device', 'No.', 'Look.'))
  } as unknown as Rest;
  const show = (value: boolean) => {
    visible = value;
    onVisibility();
  };
  return { model: new JobsModel(rest, world), show, asked: () => asked };
}

async function flush(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) {
    await Promise.resolve();
  }
}

test('jobs are followed only while the page and the panel are seen', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const { model, show, asked } = setUp(() => Promise.resolve({ jobs: [job] }));
  model.watch(true);
  await flush();
  assert.equal(model.hasActive, true);
  mock.timers.tick(500);
  await flush();
  assert.equal(asked(), 2);
  show(false);
  mock.timers.tick(60_000);
  await flush();
  assert.equal(asked(), 2);
  show(true);
  await flush();
  assert.equal(asked(), 3);
  model.watch(false);
  mock.timers.tick(60_000);
  await flush();
  assert.equal(asked(), 3);
  mock.timers.reset();
});

test('trouble with the list ends with it, and takes no jobs away', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  let down = false;
  const { model } = setUp(() =>
    down
      ? Promise.reject(new Refusal('unreachable', 'Gone.', ''))
      : Promise.resolve({ jobs: [job] })
  );
  model.watch(true);
  await flush();
  down = true;
  mock.timers.tick(500);
  await flush();
  assert.equal(model.trouble?.code, 'unreachable');
  assert.deepEqual(model.jobs, [job]);
  down = false;
  mock.timers.tick(500);
  await flush();
  assert.equal(model.trouble, null);
  model.watch(false);
  mock.timers.reset();
});

test('an older answer does not replace a newer one', async () => {
  const answers: ((jobs: Jobs) => void)[] = [];
  const { model } = setUp(() => new Promise(resolve => answers.push(resolve)));
  model.watch(true);
  await flush();
  model.watch(false);
  model.watch(true);
  await flush();
  answers[1]({ jobs: [job] });
  await flush();
  answers[0]({ jobs: [] });
  await flush();
  assert.deepEqual(model.jobs, [job]);
  model.watch(false);
});

test('a refusal to run stays until the next try', async () => {
  const { model } = setUp(() => Promise.resolve({ jobs: [] }));
  await model.run({ benchmark: 'compute' });
  assert.equal(model.refusal?.code, 'unknown_device');
  assert.equal(model.trouble, null);
});
