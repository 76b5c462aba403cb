import { Signal } from '@lumino/signaling';

import type {
  Follow,
  JobsChanged,
  RecordingsChanged,
  SuitesChanged
} from '../api/generated';

/** A list that the live socket tells of. */
export type ListMessage = JobsChanged | SuitesChanged | RecordingsChanged;
export type Topic = ListMessage['type'];

/** The lists of the live socket: who follows which, and what it tells of them. */
export class LiveLists {
  readonly told = new Signal<this, ListMessage>(this);
  private readonly topics = new Map<object, readonly Topic[]>();

  /** @param say sends a wish where there is a socket */
  constructor(private readonly say: (wish: Follow) => void) {}

  /** Say which lists `follower` follows now, while the socket is open for the readings. */
  follow(follower: object, topics: readonly Topic[]): void {
    this.topics.set(follower, topics);
    this.wish();
  }

  /** A socket was opened: it knows of no wish. */
  greet(): void {
    if (this.topics.size > 0) {
      this.wish();
    }
  }

  take(message: ListMessage): void {
    this.told.emit(message);
  }

  private wish(): void {
    const topics = [...new Set([...this.topics.values()].flat())];
    this.say({ type: 'follow', topics });
  }
}
