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

/** The lists that the live socket sends: who follows which list, and the messages received. */
export class LiveLists {
  readonly received = new Signal<this, ListMessage>(this);
  private readonly topics = new Map<object, readonly Topic[]>();

  /** @param send sends a request, if a socket is open */
  constructor(private readonly send: (request: Follow) => void) {}

  /** Set the lists that `follower` follows. They arrive only while a view of the readings keeps the socket open. */
  follow(follower: object, topics: readonly Topic[]): void {
    this.topics.set(follower, topics);
    this.request();
  }

  /** Send the request again, through a socket that was just opened. */
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
