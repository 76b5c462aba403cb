import assert from 'node:assert/strict';
import { mock, test } from 'node:test';

import { Signal } from '@lumino/signaling';

import type { JobInfo, Jobs } from '../src/api/generated';
import { RequestError, Rest } from '../src/api/rest';
import type { Live } from '../src/model/follower';
import { isActive, JobsModel } from '../src/model/jobs';
import { LiveLists, ListMessage } from '../src/model/lists';

const job = { id: 'a', state: 'running' } as JobInfo;

/** The live socket, as far as lists are concerned. */
class FakeLive {
  connection = 'connecting';
  readonly changed = new Signal<this, void>(this);
  followed: readonly string[] = [];
  readonly lists = new LiveLists(({ topics }) => {
    this.followed = topics;
  });
  send(...messages: object[]): void {
    this.connection = 'live';
    for (const message of messages) {
      this.lists.take(message as ListMessage);
    }
  }
  lose(): void {
    this.connection = 'reconnecting';
    this.changed.emit();
  }
}

const noSuites = { type: 'suites', suites: [] };

function changed(jobs: Partial<JobInfo>[], ids: string[]): object {
  return { type: 'jobs', jobs, ids };
}

function setUp(answer: () => Promise<Jobs>) {
  let visible = true;
  let onVisibility = () => {};
  let asked = 0;
  const environment = {
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
    run: () =>
      Promise.reject(
        new RequestError({
          code: 'unknown_device',
          message: 'No.',
          hint: 'Look.'
        })
      )
  } as unknown as Rest;
  const show = (value: boolean) => {
    visible = value;
    onVisibility();
  };
  const live = new FakeLive();
  const model = new JobsModel(rest, live as unknown as Live, environment);
  return { model, show, live, asked: () => asked };
}

async function flush(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) {
    await Promise.resolve();
  }
}

test('jobs are followed only while the page and the panel are visible', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const { model, show, asked } = setUp(() => Promise.resolve({ jobs: [job] }));
  model.watch(true);
  await flush();
  assert.ok(model.runs.some(isActive));
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

test('an error of the list clears with the next answer and removes no jobs', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  let down = false;
  const { model } = setUp(() =>
    down
      ? Promise.reject(
          new RequestError({ code: 'unreachable', message: 'Gone.', hint: '' })
        )
      : Promise.resolve({ jobs: [job] })
  );
  model.watch(true);
  await flush();
  down = true;
  mock.timers.tick(500);
  await flush();
  assert.equal(model.error?.code, 'unreachable');
  assert.deepEqual(model.jobs, [job]);
  down = false;
  mock.timers.tick(500);
  await flush();
  assert.equal(model.error, null);
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

test('an error of a request stays until the next request', async () => {
  const { model } = setUp(() => Promise.resolve({ jobs: [] }));
  await model.run({ benchmark: 'compute' });
  assert.equal(model.requestError?.code, 'unknown_device');
  assert.equal(model.error, null);
});

test('messages of the live socket are shown, without requests meanwhile', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const { model, live, asked } = setUp(() => Promise.resolve({ jobs: [] }));
  model.watch(true);
  assert.deepEqual(live.followed, ['jobs', 'suites']);
  await flush();
  live.send(noSuites, changed([{ id: 'b', state: 'queued' }, job], ['b', 'a']));
  assert.deepEqual(
    model.jobs.map(each => each.id),
    ['b', 'a']
  );
  assert.ok(model.runs.some(isActive));
  mock.timers.tick(60_000);
  await flush();
  assert.equal(asked(), 1);
  model.watch(false);
  assert.deepEqual(live.followed, []);
  mock.timers.reset();
});

test('a change replaces known jobs, and forgotten jobs are removed', async () => {
  const { model, live } = setUp(() => Promise.resolve({ jobs: [] }));
  model.watch(true);
  await flush();
  live.send(noSuites, changed([{ id: 'b', state: 'done' }, job], ['b', 'a']));
  const [done] = model.jobs;
  live.send(
    changed([{ id: 'c' }, { id: 'a', state: 'failed' }], ['c', 'b', 'a'])
  );
  assert.deepEqual(
    model.jobs.map(each => `${each.id} ${each.state}`),
    ['c undefined', 'b done', 'a failed']
  );
  assert.equal(model.jobs[1], done);
  live.send(changed([], ['c']));
  assert.deepEqual(
    model.jobs.map(each => each.id),
    ['c']
  );
  model.watch(false);
});

test('it asks by REST while the socket is down, and until that has sent all lists', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const { model, live, asked } = setUp(() => Promise.resolve({ jobs: [job] }));
  model.watch(true);
  await flush();
  live.send(noSuites); // of the jobs not yet, as by an older server
  mock.timers.tick(500);
  await flush();
  assert.equal(asked(), 2);
  live.send(changed([job], ['a']));
  mock.timers.tick(60_000);
  await flush();
  assert.equal(asked(), 2);
  live.lose();
  mock.timers.tick(500);
  await flush();
  assert.equal(asked(), 3);
  model.watch(false);
  mock.timers.reset();
});

test('an answer that is older than a message is dropped', async () => {
  const answers: ((jobs: Jobs) => void)[] = [];
  const { model, live } = setUp(
    () => new Promise(resolve => answers.push(resolve))
  );
  model.watch(true);
  await flush();
  live.send(noSuites, changed([job], ['a']));
  answers[0]({ jobs: [] });
  await flush();
  assert.deepEqual(model.jobs, [job]);
  assert.equal(model.benchmarks.length, 1);
  model.watch(false);
});
