import { Signal } from '@lumino/signaling';

import type {
  Columns,
  LoopSteps,
  NotebookTraining,
  Training,
  TrainingNow
} from '../api/generated';
import { attempt, RequestError, Rest } from '../api/rest';
import type { LiveModel } from './live';

/** The time that a band covers. */
export const BAND_SECONDS = 120;
const POLL_MS = 2000;

/** The shares of a step's time, from the bottom of the band up. */
export interface ISplit {
  readonly busy: number | null;
  readonly data: number | null;
  readonly host: number | null;
  /**
   * Whose waiting time `data` is: the GPU's or, if that is not known, the host's in `next()`;
   * `null` for a loop without a loader, whose waiting time is not known.
   */
  readonly source: 'gpu' | 'host' | null;
}

export interface IBandPoint {
  readonly time: number;
  readonly split: ISplit;
}

/** The watched training loops: their current state, and their last two minutes. */
export class TrainingModel {
  readonly changed = new Signal<this, void>(this);
  now: TrainingNow | null = null;
  error: RequestError | null = null;

  private readonly bands = new Map<string, IBandPoint[]>();
  private askedAt = -Infinity;

  constructor(
    private readonly rest: Rest,
    private readonly live: LiveModel
  ) {}

  get notebooks(): readonly NotebookTraining[] {
    return this.now?.notebooks ?? [];
  }

  band(key: string): readonly IBandPoint[] {
    return this.bands.get(key) ?? [];
  }

  watch(watching: boolean): void {
    if (!watching) {
      this.live.changed.disconnect(this.take, this);
    } else if (this.live.changed.connect(this.take, this)) {
      void this.fetch();
    }
  }

  /** Have a notebook profile its next steps. */
  async explain(key: string): Promise<void> {
    this.error = await attempt(() => this.rest.explain({ key, steps: 5 }));
    this.changed.emit();
  }

  private take(): void {
    const { training, connection } = this.live;
    if (training !== null && training !== this.now) {
      this.show(training);
    } else if (
      connection === 'polling' &&
      performance.now() - this.askedAt > POLL_MS
    ) {
      void this.fetch();
    }
  }

  private async fetch(): Promise<void> {
    this.askedAt = performance.now();
    await attempt(async () => {
      this.seed(await this.rest.training(BAND_SECONDS));
    }); // the line about the connection shows the error
  }

  /** Store the history and the current state from the server. */
  seed(training: Training): void {
    this.bands.clear();
    for (const [key, columns] of Object.entries(training.history)) {
      this.bands.set(key, pointsOf(columns));
    }
    this.show(training.now);
  }

  private show(now: TrainingNow): void {
    for (const { key, loaders } of now.notebooks) {
      const points = this.bands.get(key) ?? [];
      this.bands.set(key, points);
      const last = points[points.length - 1]?.time ?? -Infinity;
      const split = loaders.length > 0 ? splitOf(loaders[0]) : null;
      // A stopped loop leaves a gap.
      if (split !== null && loaders[0].last_seconds > last) {
        points.push({ time: now.time_seconds, split });
      }
      const oldest = now.time_seconds - BAND_SECONDS;
      points.splice(
        0,
        points.findIndex(point => point.time >= oldest)
      );
    }
    this.now = now;
    this.changed.emit();
  }
}

/** The shares of a loop's step, as far as they are known. */
export function splitOf(
  steps: Pick<
    LoopSteps,
    'busy_ratio' | 'idle_for_data_ratio' | 'idle_for_host_ratio' | 'wait_ratio'
  >
): ISplit {
  const data = steps.idle_for_data_ratio;
  if (data === null) {
    const { busy_ratio: busy, wait_ratio: wait } = steps;
    return wait === null
      ? { busy, data: null, host: null, source: null }
      : { busy: null, data: wait, host: null, source: 'host' };
  }
  // The driver's share is a mean over other seconds than the events' while a loop changes.
  return {
    busy: steps.busy_ratio && Math.min(steps.busy_ratio, 1 - data),
    data,
    host: steps.idle_for_host_ratio,
    source: 'gpu'
  };
}

function pointsOf(columns: Columns): IBandPoint[] {
  const at = (name: string, i: number) =>
    columns.metrics[name]?.mean[i] ?? null;
  return columns.times_seconds.map((time, i) => ({
    time,
    split: splitOf({
      busy_ratio: at('busy_ratio', i),
      idle_for_data_ratio: at('idle_for_data_ratio', i),
      idle_for_host_ratio: at('idle_for_host_ratio', i),
      wait_ratio: at('wait_ratio', i)
    })
  }));
}
