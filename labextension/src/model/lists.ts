import { Signal } from '@lumino/signaling';

import type {
  Follow,
  JobsChanged,
  RecordingsChanged,
  SuitesChanged
} from '../api/generated';

/** A list that is sent over the live socket. */
export type ListMessage = JobsChanged | SuitesChanged | RecordingsChanged;
export type Topic = ListMessage['type'];

/** The lists of the live socket: which view follows which list, and their messages. */
export class LiveLists {
  readonly received = new Signal<this, ListMessage>(this);
  private readonly topics = new Map<object, readonly Topic[]>();

  /** @param send sends a request if there is a socket */
  constructor(private readonly send: (request: Follow) => void) {}

  /** Set the lists that `follower` follows now, while the socket is open for the readings. */
  follow(follower: object, topics: readonly Topic[]): void {
    this.topics.set(follower, topics);
    this.request();
  }

  /** A socket was opened: it knows of no request yet. */
  resend(): void {
    if (this.topics.size > 0) {
      this.request();
    }
  }

  take(message: ListMessage): void {
    this.received.emit(message);
  }

  private request(): void {
    const topics = [...new Set([...this.topics.values()].flat())];
    this.send({ type: 'follow', topics });
  }
}
