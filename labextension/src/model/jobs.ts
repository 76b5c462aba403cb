import { ISignal, Signal } from '@lumino/signaling';

import type { BenchmarkInfo, JobInfo, JobRequest } from '../api/generated';
import { Refusal, Rest } from '../api/rest';

const BUSY_POLL_MS = 500;
/** Magics start jobs too: look now and then while the panel is visible. */
const IDLE_POLL_MS = 5000;

/** The benchmarks, and the jobs that run them; the server's list is the truth. */
export class JobsModel {
  benchmarks: BenchmarkInfo[] = [];
  jobs: JobInfo[] = [];
  refusal: Refusal | null = null;

  private readonly changedSignal = new Signal<this, void>(this);
  private timer: ReturnType<typeof setTimeout> | undefined;
  private watching = false;

  constructor(private readonly rest: Rest) {}

  /** Something to draw changed. */
  get changed(): ISignal<this, void> {
    return this.changedSignal;
  }

  get hasActive(): boolean {
    return this.jobs.some(isActive);
  }

  /** Follow the jobs while somebody looks. */
  watch(watching: boolean): void {
    if (watching === this.watching) {
      return;
    }
    this.watching = watching;
    clearTimeout(this.timer);
    if (watching) {
      void this.refresh();
    }
  }

  /** Start a benchmark; a refusal is kept for the form to show. */
  async run(request: JobRequest): Promise<void> {
    await this.attempt(async () => {
      await this.rest.run(request);
    });
  }

  /** End a job. */
  async cancel(jobId: string): Promise<void> {
    await this.attempt(async () => {
      await this.rest.cancel(jobId);
    });
  }

  private async attempt(action: () => Promise<void>): Promise<void> {
    try {
      this.refusal = null;
      await action();
    } catch (error) {
      this.refusal = asRefusal(error);
    }
    await this.refresh();
  }

  private async refresh(): Promise<void> {
    clearTimeout(this.timer);
    try {
      if (this.benchmarks.length === 0) {
        this.benchmarks = (await this.rest.benchmarks()).benchmarks;
      }
      this.jobs = (await this.rest.jobs()).jobs;
    } catch (error) {
      this.refusal = asRefusal(error);
    }
    this.changedSignal.emit();
    clearTimeout(this.timer);
    if (this.watching) {
      const wait = this.hasActive ? BUSY_POLL_MS : IDLE_POLL_MS;
      this.timer = setTimeout(() => void this.refresh(), wait);
    }
  }
}

export function isActive(job: JobInfo): boolean {
  return job.state === 'queued' || job.state === 'running';
}

function asRefusal(error: unknown): Refusal {
  return error instanceof Refusal
    ? error
    : new Refusal('unexpected', String(error), '');
}
