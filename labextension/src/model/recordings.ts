import { ISignal, Signal } from '@lumino/signaling';

import type { RecordingInfo } from '../api/generated';
import { Refusal, Rest } from '../api/rest';
import { Follower, Live, Visibility } from './follower';
import { asRefusal } from './jobs';
import type { ListMessage, Topic } from './lists';

/** While one is being written, its size and length grow. */
const RECORDING_POLL_MS = 1000;
/** Else only other pages and shells change the list. */
const IDLE_POLL_MS = 10000;

/** The server's recordings; followed while somebody looks. */
export class RecordingsModel {
  readonly topics: readonly Topic[] = ['recordings'];
  recordings: readonly RecordingInfo[] = [];
  trouble: Refusal | null = null;

  private readonly changedSignal = new Signal<this, void>(this);
  private readonly follower: Follower;

  constructor(
    private readonly rest: Rest,
    live: Live,
    world?: Visibility
  ) {
    this.follower = new Follower(this, live, world);
  }

  get changed(): ISignal<this, void> {
    return this.changedSignal;
  }

  /** The one that is being written, if any. */
  get running(): RecordingInfo | undefined {
    return this.recordings.find(each => each.state === 'recording');
  }

  watch(watching: boolean): void {
    this.follower.watch(watching);
  }

  /** Where the browser downloads one. */
  downloadUrl(id: string): string {
    return this.rest.recordingUrl(id);
  }

  start(): Promise<void> {
    return this.act(() => this.rest.startRecording());
  }

  stop(id: string): Promise<void> {
    return this.act(() => this.rest.stopRecording(id));
  }

  discard(id: string): Promise<void> {
    return this.act(() => this.rest.discardRecording(id));
  }

  take(message: ListMessage): void {
    if (message.type === 'recordings') {
      this.recordings = message.recordings;
      this.changedSignal.emit();
    }
  }

  async ask(): Promise<void> {
    await this.attempt(async () => {
      this.recordings = (await this.rest.recordings()).recordings;
    });
    this.changedSignal.emit();
  }

  pauseMs(): number {
    return this.running ? RECORDING_POLL_MS : IDLE_POLL_MS;
  }

  private async act(action: () => Promise<unknown>): Promise<void> {
    if (await this.attempt(action)) {
      await this.follower.refresh();
    } else {
      this.changedSignal.emit();
    }
  }

  private async attempt(action: () => Promise<unknown>): Promise<boolean> {
    try {
      await action();
      this.trouble = null;
      return true;
    } catch (error) {
      this.trouble = asRefusal(error);
      return false;
    }
  }
}
