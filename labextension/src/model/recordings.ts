import type { RecordingInfo } from '../api/generated';
import { attempt, Rest } from '../api/rest';
import { Follower, Live, Visibility } from './follower';
import type { ListMessage } from './lists';

/** While a recording is being written, its size and length grow. */
const RECORDING_POLL_MS = 1000;
/** Otherwise only other pages and shells change the list. */
const IDLE_POLL_MS = 10000;

/** The server's recordings; followed while a view shows them. */
export class RecordingsModel extends Follower {
  recordings: readonly RecordingInfo[] = [];

  constructor(
    private readonly rest: Rest,
    live: Live,
    environment?: Visibility
  ) {
    super(['recordings'], live, environment);
  }

  /** The running recording, if any. */
  get running(): RecordingInfo | undefined {
    return this.recordings.find(each => each.state === 'recording');
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

  protected take(message: ListMessage): void {
    if (message.type === 'recordings') {
      this.recordings = message.recordings;
      this.changed.emit();
    }
  }

  protected async ask(): Promise<void> {
    this.error = await attempt(async () => {
      this.recordings = (await this.rest.recordings()).recordings;
    });
    this.changed.emit();
  }

  protected pauseMs(): number {
    return this.running ? RECORDING_POLL_MS : IDLE_POLL_MS;
  }

  private async act(action: () => Promise<unknown>): Promise<void> {
    this.error = await attempt(action);
    if (this.error === null) {
      await this.refresh();
    } else {
      this.changed.emit();
    }
  }
}
