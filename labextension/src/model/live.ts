import { Signal } from '@lumino/signaling';

import type {
  Alert,
  Catalog,
  DeviceInfo,
  Devices,
  DevicesChanged,
  Frame,
  Hello,
  MetricInfo,
  TrainingNow,
  Version
} from '../api/generated';
import { attempt, RequestError, Rest } from '../api/rest';
import { Attention } from './attention';
import { Throttle } from './throttle';
import { LiveLists } from './lists';
import type { SocketMessage } from './socketMessage';
import { Poller } from './poller';
import { Timeline } from './timeline';
import { BROWSER, IBrowserEnvironment } from './browserEnvironment';

/** How the page currently gets its readings. */
export type Connection =
  'paused' | 'connecting' | 'live' | 'polling' | 'reconnecting';

const WINDOW_SECONDS = 120;
/** Figures that change faster can't be read, and would take a tenth of a CPU core. */
const THROTTLE_MS = 300;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30000;
/** Some proxies drop WebSockets: after this many failures in a row, ask by REST as well. */
const FAILURES_BEFORE_POLLING = 2;
const SHORTEST_POLL_MS = 1000;
/** A connection that was lost in a proxy, or while a laptop slept, is not closed but silent. */
const SHORTEST_SILENCE_MS = 10000;
/** With long update intervals, a silence of this many intervals is allowed. */
const SILENT_INTERVALS = 3;

/**
 * The live readings. It owns one socket, however many views watch. It streams only while a view
 * watches and the page is visible. After an interruption, it reconnects.
 */
export class LiveModel {
  /** Like `changed`, for readable figures: emitted at a readable rate. */
  readonly changedThrottled = new Signal<this, void>(this);
  /** Something visible has changed. */
  readonly changed = new Signal<this, void>(this);
  readonly timeline = new Timeline(0);
  connection: Connection = 'paused';
  catalog: Catalog = { metrics: [] };
  devices: Devices | null = null;
  version: Version | null = null;
  latest: Frame | null = null;
  readonly attention = new Attention();
  readonly lists = new LiveLists(request => this.send(request));
  training: TrainingNow | null = null;
  /** Why the server does not answer. */
  error: RequestError | null = null;

  private readonly watchers = new Set<object>();
  private readonly throttle = new Throttle(
    () => this.changedThrottled.emit(),
    THROTTLE_MS
  );
  private socket: WebSocket | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private silenceTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly poller = new Poller(() => this.ask());
  private failures = 0;
  private intervalMsValue = 1000;

  constructor(
    private readonly rest: Rest,
    private readonly environment: IBrowserEnvironment = BROWSER
  ) {
    environment.onVisibilityChange(() => this.update());
    this.changed.connect(() => this.throttle.trigger());
    this.attention.changed.connect(() => this.throttle.trigger());
  }

  get alerts(): readonly Alert[] {
    return this.attention.alerts;
  }

  /** The known devices; empty before the server has sent them. */
  get deviceList(): readonly DeviceInfo[] {
    return this.devices?.devices ?? [];
  }

  get intervalMs(): number {
    return this.intervalMsValue;
  }

  set intervalMs(value: number) {
    if (value !== this.intervalMsValue) {
      this.intervalMsValue = value;
      this.send({ type: 'set_interval', interval_ms: value });
    }
  }

  /** Whether the shown readings are out of date, because no new ones arrive. */
  get stale(): boolean {
    return (
      this.connection === 'reconnecting' ||
      (this.connection === 'polling' && this.error !== null)
    );
  }

  metric(name: string): MetricInfo | undefined {
    return this.catalog.metrics.find(each => each.name === name);
  }

  /** The known metrics among these names. */
  metrics(names: readonly string[]): MetricInfo[] {
    return names.flatMap(name => this.metric(name) ?? []);
  }

  /** Set whether `watcher` shows the readings now. */
  watch(watcher: object, watching: boolean): void {
    if (watching) {
      this.watchers.add(watcher);
    } else {
      this.watchers.delete(watcher);
    }
    this.update();
  }

  private send(request: object): void {
    if (this.socket?.readyState === 1) {
      this.socket.send(JSON.stringify(request));
    }
  }

  private get isNeeded(): boolean {
    return this.watchers.size > 0 && this.environment.isVisible();
  }

  private update(): void {
    if (this.isNeeded && this.connection === 'paused') {
      this.failures = 0;
      this.open('connecting');
    } else if (!this.isNeeded && this.connection !== 'paused') {
      this.pause();
    }
  }

  private open(connection: Connection): void {
    this.setConnection(connection);
    const socket = this.environment.openSocket(
      this.rest.socketUrl(this.intervalMs)
    );
    this.socket = socket;
    socket.onmessage = event => {
      if (this.socket === socket) {
        this.expectMessage(socket);
        this.take(JSON.parse(event.data) as SocketMessage);
      }
    };
    socket.onclose = () => this.onLost(socket);
    this.expectMessage(socket);
  }

  /** Give the socket up unless a message arrives in time. */
  private expectMessage(socket: WebSocket): void {
    clearTimeout(this.silenceTimer);
    const patience = Math.max(
      SHORTEST_SILENCE_MS,
      SILENT_INTERVALS * this.intervalMs
    );
    this.silenceTimer = setTimeout(() => {
      this.onLost(socket);
      socket.close();
    }, patience);
  }

  private onLost(socket: WebSocket): void {
    if (this.socket === socket) {
      this.socket = null;
      clearTimeout(this.silenceTimer);
      this.retryLater();
    }
  }

  private pause(): void {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    clearTimeout(this.timer);
    clearTimeout(this.silenceTimer);
    this.poller.stop();
    this.setConnection('paused');
  }

  private retryLater(): void {
    this.failures += 1;
    const wait = Math.min(
      LONGEST_RETRY_MS,
      FIRST_RETRY_MS * 2 ** (this.failures - 1)
    );
    // Add a random part, up to half, so that many pages don't reconnect at the same moment.
    const jittered = wait * (1 + this.environment.random() / 2);
    this.timer = setTimeout(
      () => this.open(this.poller.running ? 'polling' : 'reconnecting'),
      jittered
    );
    if (this.failures >= FAILURES_BEFORE_POLLING) {
      this.poller.start(Math.max(SHORTEST_POLL_MS, this.intervalMs));
    }
    this.setConnection(this.poller.running ? 'polling' : 'reconnecting');
  }

  private async ask(): Promise<boolean> {
    const error = await attempt(async () => {
      const frame = await this.rest.latest();
      this.show(frame);
      await this.attention.fetch(this.rest);
      if (!this.knows(frame)) {
        this.catalog = await this.rest.catalog();
        this.devices = await this.rest.devices();
        this.version = await this.rest.version();
      }
    });
    // If the socket has reconnected meanwhile, the error no longer matters.
    this.error = this.poller.running ? error : null;
    this.changed.emit();
    return error === null;
  }

  private knows(frame: Frame): boolean {
    const known = this.devices?.devices.map(device => device.uuid);
    return (
      known !== undefined &&
      Object.keys(frame.devices).every(uuid => known.includes(uuid))
    );
  }

  private take(message: SocketMessage): void {
    switch (message.type) {
      case 'hello':
        this.onHello(message);
        break;
      case 'frame':
        this.show(message);
        break;
      case 'devices':
        this.describe(message);
        break;
      case 'alerts':
      case 'findings':
        this.attention.take(message);
        break;
      case 'training':
        this.training = message;
        break;
      case 'error':
        console.warn(`GPU readings: ${message.message} ${message.hint}`);
        break;
      default:
        this.lists.take(message);
        return;
    }
    this.changed.emit();
  }

  private onHello(hello: Hello): void {
    this.failures = 0;
    this.error = null;
    this.poller.stop();
    this.catalog = hello.catalog;
    this.describe(hello);
    this.timeline.seed(hello.history);
    this.connection = 'live';
    this.lists.resend();
  }

  private describe({ devices, version }: DevicesChanged | Hello): void {
    this.devices = devices;
    this.version = version;
  }

  private show(frame: Frame): void {
    this.latest = frame;
    const overview = this.catalog.metrics.filter(metric => metric.overview);
    this.timeline.push(
      frame,
      overview.map(metric => metric.name),
      frame.time_seconds - WINDOW_SECONDS
    );
  }

  private setConnection(connection: Connection): void {
    this.connection = connection;
    this.changed.emit();
  }
}
