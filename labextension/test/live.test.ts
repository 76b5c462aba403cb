import assert from 'node:assert/strict';
import { mock, test } from 'node:test';

import type { Frame, Hello } from '../src/api/generated';
import type { Rest } from '../src/api/rest';
import { LiveModel } from '../src/model/live';
import type { IBrowserEnvironment } from '../src/model/browserEnvironment';

class FakeSocket {
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  readyState = 1;
  closed = false;
  sent: string[] = [];
  send(text: string): void {
    this.sent.push(text);
  }
  close(): void {
    this.closed = true;
  }
  receive(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

function setUp(
  latest: () => Promise<Frame> = () => Promise.reject(new Error('down'))
) {
  const sockets: FakeSocket[] = [];
  let visible = true;
  let onVisibility = () => {};
  const environment: IBrowserEnvironment = {
    openSocket: () => {
      const socket = new FakeSocket();
      sockets.push(socket);
      return socket as unknown as WebSocket;
    },
    isVisible: () => visible,
    onVisibilityChange: listener => {
      onVisibility = listener;
    },
    random: () => 0
  };
  const rest = {
    socketUrl: (ms: number) => `ws://server/live?interval_ms=${ms}`,
    latest,
    catalog: () => Promise.resolve(hello.catalog),
    devices: () => Promise.resolve(hello.devices),
    version: () => Promise.resolve(hello.version),
    alerts: () => Promise.resolve({ type: 'alerts', alerts: [] }),
    findings: () => Promise.resolve({ type: 'findings', findings: [] })
  } as unknown as Rest;
  const live = new LiveModel(rest, environment);
  const show = (value: boolean) => {
    visible = value;
    onVisibility();
  };
  return { live, sockets, show };
}

const frame: Frame = {
  type: 'frame',
  time_seconds: 102,
  devices: { A: { power_watts: 300, temperature_celsius: 'not_supported' } },
  host: {},
  host_cores_percent: []
};
const hello: Hello = {
  type: 'hello',
  version: { version: '1', api_version: 1, source: 'nvml' },
  catalog: {
    metrics: ['power_watts', 'temperature_celsius'].map(name => ({
      name,
      overview: true
    }))
  },
  devices: { devices: [], reason: null },
  interval_ms: 1000,
  history: {
    step_seconds: 1,
    host: { times_seconds: [], metrics: {} },
    devices: {
      A: {
        times_seconds: [100, 101],
        metrics: { power_watts: { min: [1, 2], mean: [1, 2], max: [1, 2] } }
      }
    }
  }
};
const viewer = {};

test('it streams only while a view watches and the page is visible', () => {
  const { live, sockets, show } = setUp();
  assert.equal(live.connection, 'paused');
  live.watch(viewer, true);
  sockets[0].receive(hello);
  assert.equal(live.connection, 'live');
  show(false);
  assert.equal(live.connection, 'paused');
  assert.ok(sockets[0].closed);
  show(true);
  assert.equal(sockets.length, 2);
  live.watch(viewer, false);
  assert.ok(sockets[1].closed);
});

test('curves begin with the server’s history, and missing is not zero', () => {
  const { live, sockets } = setUp();
  live.watch(viewer, true);
  sockets[0].receive(hello);
  sockets[0].receive(frame);
  const track = live.timeline.track('A');
  assert.deepEqual(track.times, [100, 101, 102]);
  assert.deepEqual(track.metric('power_watts').mean, [1, 2, 300]);
  assert.deepEqual(track.metric('temperature_celsius').mean, [
    null,
    null,
    null
  ]);
  live.watch(viewer, false);
});

test('it reconnects with growing pauses, and then polls by REST too', async () => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  const { live, sockets } = setUp(() => Promise.resolve(frame));
  live.watch(viewer, true);
  sockets[0].onclose?.();
  assert.equal(live.connection, 'reconnecting');
  mock.timers.tick(999);
  assert.equal(sockets.length, 1);
  mock.timers.tick(1);
  assert.equal(sockets.length, 2);
  sockets[1].onclose?.();
  assert.equal(live.connection, 'polling');
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(live.latest?.time_seconds, 102);
  mock.timers.tick(2000);
  assert.equal(sockets.length, 3);
  sockets[2].receive(hello);
  assert.equal(live.connection, 'live');
  live.watch(viewer, false);
  mock.timers.reset();
});

test('a new interval is sent to the server without a new connection', () => {
  const { live, sockets } = setUp();
  live.watch(viewer, true);
  live.intervalMs = 250;
  assert.deepEqual(JSON.parse(sockets[0].sent[0]), {
    type: 'set_interval',
    interval_ms: 250
  });
  assert.equal(sockets.length, 1);
  live.watch(viewer, false);
});

test('a silent connection is closed and opened again', () => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  const { live, sockets } = setUp();
  live.watch(viewer, true);
  sockets[0].receive(hello);
  mock.timers.tick(9000);
  sockets[0].receive(frame);
  mock.timers.tick(9000);
  assert.equal(live.connection, 'live');
  mock.timers.tick(1000);
  assert.equal(live.connection, 'reconnecting');
  assert.ok(live.stale);
  assert.ok(sockets[0].closed);
  mock.timers.tick(1000);
  sockets[1].receive(hello);
  assert.equal(live.connection, 'live');
  sockets[0].receive({ ...frame, time_seconds: 999 });
  assert.notEqual(live.latest?.time_seconds, 999);
  live.watch(viewer, false);
  mock.timers.reset();
});

test('while the server is gone, requests become less frequent', async () => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  let asked = 0;
  const { live, sockets } = setUp(() => {
    asked += 1;
    return Promise.reject(new Error('down'));
  });
  live.watch(viewer, true);
  sockets[0].onclose?.();
  mock.timers.tick(1000);
  sockets[1].onclose?.();
  for (let second = 0; second < 30; second++) {
    await flush();
    mock.timers.tick(1000);
  }
  assert.match(live.error?.message ?? '', /down/);
  assert.ok(live.stale);
  assert.ok(asked >= 3 && asked <= 6, `asked ${asked} times`);
  live.watch(viewer, false);
  mock.timers.reset();
});

test('a device that appears while polling is described', async () => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  const { live, sockets } = setUp(() => Promise.resolve(frame));
  live.watch(viewer, true);
  sockets[0].receive({ ...hello, catalog: { metrics: [] } });
  live.devices = { devices: [], reason: null };
  const before = live.devices;
  sockets[0].onclose?.();
  mock.timers.tick(1000);
  sockets[1].onclose?.();
  await flush();
  assert.notEqual(live.devices, before);
  live.watch(viewer, false);
  mock.timers.reset();
});

test('after the clock was set back the curve starts again', () => {
  const { live, sockets } = setUp();
  live.watch(viewer, true);
  sockets[0].receive(hello);
  sockets[0].receive(frame);
  sockets[0].receive({ ...frame, time_seconds: 101.5 });
  sockets[0].receive({ ...frame, time_seconds: 50 });
  sockets[0].receive({ ...frame, time_seconds: 51 });
  const track = live.timeline.track('A');
  assert.deepEqual(track.times, [50, 51]);
  assert.deepEqual(track.metric('power_watts').mean, [300, 300]);
  live.watch(viewer, false);
});

/** Let promises that are done be received; timers stand still. */
async function flush(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) {
    await Promise.resolve();
  }
}

test('followed lists are requested again on every new socket', () => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  const { live, sockets } = setUp();
  const received: string[] = [];
  live.lists.received.connect((_, message) => {
    received.push(message.type);
  });
  const follower = {};
  const follow = (...topics: string[]) =>
    JSON.stringify({ type: 'follow', topics });
  live.lists.follow(follower, ['jobs']); // there is no socket yet
  live.watch(viewer, true);
  sockets[0].receive(hello);
  assert.deepEqual(sockets[0].sent.slice(-1), [follow('jobs')]);
  live.lists.follow({}, ['recordings', 'jobs']);
  assert.deepEqual(sockets[0].sent.slice(-1), [follow('jobs', 'recordings')]);
  sockets[0].receive({ type: 'jobs', jobs: [], ids: [] });
  assert.deepEqual(received, ['jobs']);
  sockets[0].onclose?.();
  mock.timers.tick(2000);
  sockets[1].receive(hello);
  assert.deepEqual(sockets[1].sent, [follow('jobs', 'recordings')]);
  live.lists.follow(follower, []);
  live.watch(viewer, false);
  mock.timers.reset();
});
