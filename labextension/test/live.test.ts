import assert from 'node:assert/strict';
import { mock, test } from 'node:test';

import type { Frame, Hello } from '../src/api/generated';
import type { Rest } from '../src/api/rest';
import { IWorld, LiveModel } from '../src/model/live';

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
  const world: IWorld = {
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
    version: () => Promise.resolve(hello.version)
  } as unknown as Rest;
  const live = new LiveModel(rest, world);
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
  host: {}
};
const hello: Hello = {
  type: 'hello',
  version: { version: '1', api_version: 1, source: 'nvml' },
  catalog: { metrics: [] },
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

test('it streams only while somebody watches and the page is visible', () => {
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
  const track = live.tracks.of('A');
  assert.deepEqual(track.times, [100, 101, 102]);
  assert.deepEqual(track.values.get('power_watts'), [1, 2, 300]);
  assert.deepEqual(track.values.get('temperature_celsius'), [null, null, null]);
  live.watch(viewer, false);
});

test('it comes back by itself, later each time, and then asks by REST too', async () => {
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

test('a new interval is told to the server without a new connection', () => {
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
