import type { LiveModel } from './live';
import type { ListMessage, LiveLists, Topic } from './lists';
import { BROWSER, IWorld } from './world';

export type Visibility = Pick<IWorld, 'isVisible' | 'onVisibilityChange'>;
export type Live = Pick<LiveModel, 'connection' | 'changed'> & {
  lists: Pick<LiveLists, 'told' | 'follow'>;
};

export interface IFollowed {
  readonly topics: readonly Topic[];
  /** Take what the live socket tells. */
  take(message: ListMessage): void;
  /** Ask for all of it by REST. */
  ask(): Promise<void>;
  /** How long to wait before asking again. */
  pauseMs(): number;
}

/**
 * Follows lists of the server while somebody looks and the page is visible: over the live socket, and by REST until
 * that has told of them, and again while it is down.
 */
export class Follower {
  private readonly told = new Set<Topic>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private watching = false;
  private following = false;

  constructor(
    private readonly followed: IFollowed,
    private readonly live: Live,
    private readonly world: Visibility = BROWSER
  ) {
    world.onVisibilityChange(() => this.update());
  }

  watch(watching: boolean): void {
    this.watching = watching;
    this.update();
  }

  /** Ask by REST now. */
  async refresh(): Promise<void> {
    clearTimeout(this.timer);
    await this.followed.ask();
    this.askLater();
  }

  private get knowsAll(): boolean {
    return this.told.size === this.followed.topics.length;
  }

  private update(): void {
    const following = this.watching && this.world.isVisible();
    if (following === this.following) {
      return;
    }
    this.following = following;
    clearTimeout(this.timer);
    this.told.clear();
    if (following) {
      this.live.lists.told.connect(this.take, this);
      this.live.changed.connect(this.look, this);
      this.live.lists.follow(this, this.followed.topics);
      void this.refresh();
    } else {
      this.live.lists.told.disconnect(this.take, this);
      this.live.changed.disconnect(this.look, this);
      this.live.lists.follow(this, []);
    }
  }

  private take(_: unknown, message: ListMessage): void {
    if (this.followed.topics.includes(message.type)) {
      this.told.add(message.type);
      if (this.knowsAll) {
        clearTimeout(this.timer);
      }
      this.followed.take(message);
    }
  }

  /** What a socket told that is lost now may be old. */
  private look(): void {
    if (this.live.connection !== 'live' && this.told.size > 0) {
      this.told.clear();
      this.askLater();
    }
  }

  private askLater(): void {
    clearTimeout(this.timer);
    if (this.following && !this.knowsAll) {
      this.timer = setTimeout(
        () => void this.refresh(),
        this.followed.pauseMs()
      );
    }
  }
}
