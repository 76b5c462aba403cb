import { ISignal, Signal } from '@lumino/signaling';

import type { RecordingInfo } from '../api/generated';
import { Refusal, Rest } from '../api/rest';
import { BROWSER, IWorld } from './world';

/** While one is being written, its size and length grow. */
const RECORDING_POLL_MS = 1000;
/** Else only other pages and shells change the list. */
const IDLE_POLL_MS = 10000;

/** The server's recordings; asked for while somebody looks. */
export class RecordingsModel {
  recordings: readonly RecordingInfo[] = [];
  trouble: Refusal | null = null;

  private readonly changedSignal = new Signal<this, void>(this);
  private timer: ReturnType<typeof setTimeout> | undefined;
  private watching = false;
  private following = false;

  constructor(
    private readonly rest: Rest,
    private readonly world: Pick<
      IWorld,
      'isVisible' | 'onVisibilityChange'
    > = BROWSER
  ) {
    world.onVisibilityChange(() => this.update());
  }

  get changed(): ISignal<this, void> {
    return this.changedSignal;
  }

  /** The one that is being written, if any. */
  get running(): RecordingInfo | undefined {
    return this.recordings.find(each => each.state === 'recording');
  }

  watch(watching: boolean): void {
    this.watching = watching;
    this.update();
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

  async refresh(): Promise<void> {
    clearTimeout(this.timer);
    await this.attempt(async () => {
      this.recordings = (await this.rest.recordings()).recordings;
    });
    this.changedSignal.emit();
    if (this.following) {
      const pause = this.running ? RECORDING_POLL_MS : IDLE_POLL_MS;
      this.timer = setTimeout(() => void this.refresh(), pause);
    }
  }

  private async act(action: () => Promise<unknown>): Promise<void> {
    if (await this.attempt(action)) {
      await this.refresh();
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
      this.trouble =
        error instanceof Refusal
          ? error
          : new Refusal('unexpected', String(error), '');
      return false;
    }
  }

  private update(): void {
    const following = this.watching && this.world.isVisible();
    if (following !== this.following) {
      this.following = following;
      clearTimeout(this.timer);
      if (following) {
        void this.refresh();
      }
    }
  }
}
