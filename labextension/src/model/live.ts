import { ISignal, Signal } from '@lumino/signaling';

import type {
  Catalog,
  Devices,
  DevicesChanged,
  Frame,
  Hello,
  MetricInfo,
  SocketError,
  Version
} from '../api/generated';
import { Refusal, Rest } from '../api/rest';
import { Tracks } from './buffer';

/** How the page gets its readings now. */
export type Connection =
  'paused' | 'connecting' | 'live' | 'polling' | 'reconnecting';

type Message = Hello | Frame | DevicesChanged | SocketError;

/** What the model needs of the world; tests bring their own. */
export interface IWorld {
  openSocket(url: string): WebSocket;
  isVisible(): boolean;
  onVisibilityChange(listener: () => void): void;
  random(): number;
}

const BROWSER: IWorld = {
  openSocket: url => new WebSocket(url),
  isVisible: () => document.visibilityState === 'visible',
  onVisibilityChange: listener =>
    document.addEventListener('visibilitychange', listener),
  random: () => Math.random()
};

const WINDOW_SECONDS = 120;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30000;
/** Some proxies drop WebSockets: after this many failures in a row, ask by REST as well. */
const FAILURES_BEFORE_POLLING = 2;

/**
 * The live readings. Owns one socket, however many views watch; streams only while somebody
 * watches and the page is visible, and comes back by itself after an interruption.
 */
export class LiveModel {
  readonly tracks = new Tracks(WINDOW_SECONDS);
  connection: Connection = 'paused';
  catalog: Catalog = { metrics: [] };
  devices: Devices | null = null;
  version: Version | null = null;
  latest: Frame | null = null;
  problem: string | null = null;

  private readonly watchers = new Set<object>();
  private readonly changedSignal = new Signal<this, void>(this);
  private socket: WebSocket | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private poller: ReturnType<typeof setInterval> | undefined;
  private failures = 0;
  private intervalMsValue = 1000;

  constructor(
    private readonly rest: Rest,
    private readonly world: IWorld = BROWSER
  ) {
    world.onVisibilityChange(() => this.update());
  }

  /** Something to draw changed. */
  get changed(): ISignal<this, void> {
    return this.changedSignal;
  }

  get intervalMs(): number {
    return this.intervalMsValue;
  }

  set intervalMs(value: number) {
    if (value === this.intervalMsValue) {
      return;
    }
    this.intervalMsValue = value;
    if (this.socket?.readyState === 1) {
      const wish = { type: 'set_interval', interval_ms: value };
      this.socket.send(JSON.stringify(wish));
    }
  }

  metric(name: string): MetricInfo | undefined {
    return this.catalog.metrics.find(each => each.name === name);
  }

  /** Say whether `watcher` shows the readings now. */
  watch(watcher: object, watching: boolean): void {
    if (watching) {
      this.watchers.add(watcher);
    } else {
      this.watchers.delete(watcher);
    }
    this.update();
  }

  private get wanted(): boolean {
    return this.watchers.size > 0 && this.world.isVisible();
  }

  private update(): void {
    if (this.wanted && this.connection === 'paused') {
      this.failures = 0;
      this.open('connecting');
    } else if (!this.wanted && this.connection !== 'paused') {
      this.pause();
    }
  }

  private open(connection: Connection): void {
    this.setConnection(connection);
    const socket = this.world.openSocket(this.rest.socketUrl(this.intervalMs));
    this.socket = socket;
    socket.onmessage = event => this.take(JSON.parse(event.data) as Message);
    socket.onclose = () => {
      if (this.socket === socket) {
        this.socket = null;
        this.retryLater();
      }
    };
  }

  private pause(): void {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    clearTimeout(this.timer);
    this.stopPolling();
    this.setConnection('paused');
  }

  private retryLater(): void {
    this.failures += 1;
    const wait = Math.min(
      LONGEST_RETRY_MS,
      FIRST_RETRY_MS * 2 ** (this.failures - 1)
    );
    // Up to half as much again, so that many pages do not come back in one moment.
    const jittered = wait * (1 + this.world.random() / 2);
    this.timer = setTimeout(
      () => this.open(this.poller ? 'polling' : 'reconnecting'),
      jittered
    );
    if (this.failures >= FAILURES_BEFORE_POLLING && !this.poller) {
      this.startPolling();
    }
    this.setConnection(this.poller ? 'polling' : 'reconnecting');
  }

  private startPolling(): void {
    const poll = async () => {
      try {
        this.show(await this.rest.latest());
        this.problem = null;
        if (this.devices === null) {
          await this.readDescriptions();
        }
      } catch (error) {
        this.problem =
          error instanceof Refusal
            ? `${error.message} ${error.hint}`.trim()
            : String(error);
      }
      this.changedSignal.emit();
    };
    this.poller = setInterval(poll, Math.max(1000, this.intervalMs));
    void poll();
  }

  private async readDescriptions(): Promise<void> {
    this.catalog = await this.rest.catalog();
    this.devices = await this.rest.devices();
    this.version = await this.rest.version();
  }

  private stopPolling(): void {
    clearInterval(this.poller);
    this.poller = undefined;
  }

  private take(message: Message): void {
    switch (message.type) {
      case 'hello':
        this.greet(message);
        break;
      case 'frame':
        this.show(message);
        break;
      case 'devices':
        this.devices = message.devices;
        this.version = message.version;
        break;
      case 'error':
        console.warn(`GPU readings: ${message.message} ${message.hint}`);
        break;
    }
    this.changedSignal.emit();
  }

  private greet(hello: Hello): void {
    this.failures = 0;
    this.problem = null;
    this.stopPolling();
    this.catalog = hello.catalog;
    this.devices = hello.devices;
    this.version = hello.version;
    this.tracks.seed(hello.history);
    this.connection = 'live';
  }

  private show(frame: Frame): void {
    this.latest = frame;
    this.tracks.push(frame);
  }

  private setConnection(connection: Connection): void {
    this.connection = connection;
    this.changedSignal.emit();
  }
}
