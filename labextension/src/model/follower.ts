import { Signal } from '@lumino/signaling';

import type { RequestError } from '../api/rest';
import type { LiveModel } from './live';
import type { ListMessage, LiveLists, Topic } from './lists';
import { BROWSER, IBrowserEnvironment } from './browserEnvironment';

export type Visibility = Pick<
  IBrowserEnvironment,
  'isVisible' | 'onVisibilityChange'
>;
export type Live = Pick<LiveModel, 'connection' | 'changed'> & {
  lists: Pick<LiveLists, 'received' | 'follow'>;
};

/** Data from the server that is needed only while a view shows it and the page is visible. */
export abstract class Watched {
  /** Something visible has changed. */
  readonly changed = new Signal<this, void>(this);
  /** Why the data can't be read now. */
  error: RequestError | null = null;

  protected following = false;
  protected timer: ReturnType<typeof setTimeout> | undefined;
  private watching = false;

  constructor(private readonly environment: Visibility = BROWSER) {
    environment.onVisibilityChange(() => this.watch(this.watching));
  }

  /** Set whether a view shows the data. */
  watch(watching: boolean): void {
    this.watching = watching;
    const following = watching && this.environment.isVisible();
    if (following !== this.following) {
      this.following = following;
      clearTimeout(this.timer);
      this.follow();
    }
  }

  /** Start or stop following, as `following` says. */
  protected abstract follow(): void;
}

/** Data that is requested by REST, again and again. */
export abstract class Polled extends Watched {
  /** Request the data now. */
  async refresh(): Promise<void> {
    clearTimeout(this.timer);
    await this.ask();
    this.askLater();
  }

  protected abstract ask(): Promise<void>;

  /** The pause before the next request, in milliseconds. */
  protected abstract pauseMs(): number;

  protected follow(): void {
    if (this.following) {
      void this.refresh();
    }
  }

  protected askLater(): void {
    clearTimeout(this.timer);
    if (this.following) {
      this.timer = setTimeout(() => void this.refresh(), this.pauseMs());
    }
  }
}

/** Data in lists of the live socket. Until the socket has sent them, and while it is down, REST is used. */
export abstract class Follower extends Polled {
  private readonly receivedTopics = new Set<Topic>();

  constructor(
    private readonly topics: readonly Topic[],
    private readonly live: Live,
    environment?: Visibility
  ) {
    super(environment);
  }

  /** Process a message of the live socket. */
  protected abstract take(message: ListMessage): void;

  protected follow(): void {
    const { live, following } = this;
    this.receivedTopics.clear();
    if (following) {
      live.lists.received.connect(this.onMessage, this);
      live.changed.connect(this.onConnection, this);
    } else {
      live.lists.received.disconnect(this.onMessage, this);
      live.changed.disconnect(this.onConnection, this);
    }
    live.lists.follow(this, following ? this.topics : []);
    super.follow();
  }

  protected askLater(): void {
    if (this.receivedTopics.size < this.topics.length) {
      super.askLater();
    }
  }

  private onMessage(_: unknown, message: ListMessage): void {
    if (this.topics.includes(message.type)) {
      this.receivedTopics.add(message.type);
      if (this.receivedTopics.size === this.topics.length) {
        clearTimeout(this.timer);
      }
      this.take(message);
    }
  }

  /** When the socket is lost, return to REST: the data may be out of date. */
  private onConnection(): void {
    if (this.live.connection !== 'live' && this.receivedTopics.size > 0) {
      this.receivedTopics.clear();
      this.askLater();
    }
  }
}
