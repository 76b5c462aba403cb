import { Signal } from '@lumino/signaling';

import type { Refusal } from '../api/rest';
import type { LiveModel } from './live';
import type { ListMessage, LiveLists, Topic } from './lists';
import { BROWSER, IBrowserEnvironment } from './browserEnvironment';

export type Visibility = Pick<
  IBrowserEnvironment,
  'isVisible' | 'onVisibilityChange'
>;
export type Live = Pick<LiveModel, 'connection' | 'changed'> & {
  lists: Pick<LiveLists, 'told' | 'follow'>;
};

/** Something of the server that matters only while somebody looks and the page is visible. */
export abstract class Watched {
  /** Something to draw changed. */
  readonly changed = new Signal<this, void>(this);
  /** Why it can't be read now. */
  trouble: Refusal | null = null;

  protected following = false;
  protected timer: ReturnType<typeof setTimeout> | undefined;
  private watching = false;

  constructor(private readonly world: Visibility = BROWSER) {
    world.onVisibilityChange(() => this.watch(this.watching));
  }

  /** Say whether somebody looks. */
  watch(watching: boolean): void {
    this.watching = watching;
    const following = watching && this.world.isVisible();
    if (following !== this.following) {
      this.following = following;
      clearTimeout(this.timer);
      this.follow();
    }
  }

  /** Begin or end to follow. */
  protected abstract follow(): void;
}

/** Asks by REST, again and again. */
export abstract class Polled extends Watched {
  /** Ask now. */
  async refresh(): Promise<void> {
    clearTimeout(this.timer);
    await this.ask();
    this.askLater();
  }

  protected abstract ask(): Promise<void>;

  /** How long to wait before asking again. */
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

/** Follows lists over the live socket, and by REST until that has told of them, and again while it is down. */
export abstract class Follower extends Polled {
  private readonly told = new Set<Topic>();

  constructor(
    private readonly topics: readonly Topic[],
    private readonly live: Live,
    world?: Visibility
  ) {
    super(world);
  }

  /** Take what the live socket tells. */
  protected abstract take(message: ListMessage): void;

  protected follow(): void {
    const { live, following } = this;
    this.told.clear();
    if (following) {
      live.lists.told.connect(this.hear, this);
      live.changed.connect(this.look, this);
    } else {
      live.lists.told.disconnect(this.hear, this);
      live.changed.disconnect(this.look, this);
    }
    live.lists.follow(this, following ? this.topics : []);
    super.follow();
  }

  protected askLater(): void {
    if (this.told.size < this.topics.length) {
      super.askLater();
    }
  }

  private hear(_: unknown, message: ListMessage): void {
    if (this.topics.includes(message.type)) {
      this.told.add(message.type);
      if (this.told.size === this.topics.length) {
        clearTimeout(this.timer);
      }
      this.take(message);
    }
  }

  /** What a socket told that is lost now may be old. */
  private look(): void {
    if (this.live.connection !== 'live' && this.told.size > 0) {
      this.told.clear();
      this.askLater();
    }
  }
}
