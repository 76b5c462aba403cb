import { ISignal, Signal } from '@lumino/signaling';

import type {
  BenchmarkInfo,
  JobInfo,
  JobRequest,
  SuiteInfo,
  SuiteRequest
} from '../api/generated';
import { Refusal, Rest } from '../api/rest';
import { BROWSER, IWorld } from './world';

const BUSY_POLL_MS = 500;
/** Magics start jobs too: look now and then while the panel is visible. */
const IDLE_POLL_MS = 5000;

/** The benchmarks, and the jobs and suites that run them; the server's lists are the truth. */
export class JobsModel {
  benchmarks: BenchmarkInfo[] = [];
  jobs: JobInfo[] = [];
  suites: SuiteInfo[] = [];
  /** Why what was asked for was not done. */
  refusal: Refusal | null = null;
  /** Why the list can't be read now. */
  trouble: Refusal | null = null;

  private readonly changedSignal = new Signal<this, void>(this);
  private timer: ReturnType<typeof setTimeout> | undefined;
  private watching = false;
  private following = false;
  private turn = 0;

  constructor(
    private readonly rest: Rest,
    private readonly world: Pick<
      IWorld,
      'isVisible' | 'onVisibilityChange'
    > = BROWSER
  ) {
    world.onVisibilityChange(() => this.update());
  }

  /** Something to draw changed. */
  get changed(): ISignal<this, void> {
    return this.changedSignal;
  }

  get hasActive(): boolean {
    return this.jobs.some(isActive) || this.suites.some(isActive);
  }

  /** Follow the jobs while somebody looks. */
  watch(watching: boolean): void {
    this.watching = watching;
    this.update();
  }

  private update(): void {
    const following = this.watching && this.world.isVisible();
    if (following === this.following) {
      return;
    }
    this.following = following;
    clearTimeout(this.timer);
    if (following) {
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

  /** Start a suite; a refusal is kept for the form to show. */
  async runSuite(request: SuiteRequest): Promise<void> {
    await this.attempt(async () => {
      await this.rest.runSuite(request);
    });
  }

  /** End a suite, with the job that it runs. */
  async cancelSuite(id: string): Promise<void> {
    await this.attempt(async () => {
      await this.rest.cancelSuite(id);
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
    this.turn += 1;
    const turn = this.turn;
    let trouble: Refusal | null = null;
    let { jobs, suites } = this;
    try {
      if (this.benchmarks.length === 0) {
        this.benchmarks = (await this.rest.benchmarks()).benchmarks;
      }
      const answers = [this.rest.jobs(), this.rest.suites()] as const;
      const [ofJobs, ofSuites] = await Promise.all(answers);
      ({ jobs } = ofJobs);
      ({ suites } = ofSuites);
    } catch (error) {
      trouble = asRefusal(error);
    }
    if (turn !== this.turn) {
      return; // asked again meanwhile: this answer is older than the one to come
    }
    this.jobs = jobs;
    this.suites = suites;
    this.trouble = trouble;
    this.changedSignal.emit();
    if (this.following) {
      const wait = this.hasActive ? BUSY_POLL_MS : IDLE_POLL_MS;
      this.timer = setTimeout(() => void this.refresh(), wait);
    }
  }
}

/** Whether a job or a suite waits or runs. */
export function isActive({ state }: Pick<JobInfo, 'state'>): boolean {
  return state === 'queued' || state === 'running';
}

export function asRefusal(error: unknown): Refusal {
  return error instanceof Refusal
    ? error
    : new Refusal('unexpected', String(error), '');
}
