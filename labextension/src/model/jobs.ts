import { ISignal, Signal } from '@lumino/signaling';

import type {
  BenchmarkInfo,
  JobInfo,
  JobRequest,
  JobsChanged,
  SuiteInfo,
  SuiteRequest
} from '../api/generated';
import { Refusal, Rest } from '../api/rest';
import { Follower, Live, Visibility } from './follower';
import type { ListMessage, Topic } from './lists';

const BUSY_POLL_MS = 500;
/** Magics start jobs too: look now and then while the panel is visible. */
const IDLE_POLL_MS = 5000;

/** The benchmarks, and the jobs and suites that run them; the server's lists are the truth. */
export class JobsModel {
  readonly topics: readonly Topic[] = ['jobs', 'suites'];
  benchmarks: BenchmarkInfo[] = [];
  jobs: JobInfo[] = [];
  suites: SuiteInfo[] = [];
  /** Why what was asked for was not done. */
  refusal: Refusal | null = null;
  /** Why the list can't be read now. */
  trouble: Refusal | null = null;

  private readonly changedSignal = new Signal<this, void>(this);
  private readonly follower: Follower;
  private turn = 0;

  constructor(
    private readonly rest: Rest,
    live: Live,
    world?: Visibility
  ) {
    this.follower = new Follower(this, live, world);
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
    this.follower.watch(watching);
  }

  /** Start a benchmark; a refusal is kept for the form to show. */
  run(request: JobRequest): Promise<void> {
    return this.attempt(() => this.rest.run(request));
  }

  /** End a job. */
  cancel(jobId: string): Promise<void> {
    return this.attempt(() => this.rest.cancel(jobId));
  }

  /** Start a suite; a refusal is kept for the form to show. */
  runSuite(request: SuiteRequest): Promise<void> {
    return this.attempt(() => this.rest.runSuite(request));
  }

  /** End a suite, with the job that it runs. */
  cancelSuite(id: string): Promise<void> {
    return this.attempt(() => this.rest.cancelSuite(id));
  }

  take(message: ListMessage): void {
    if (message.type === 'jobs') {
      this.jobs = merged(this.jobs, message);
    } else if (message.type === 'suites') {
      this.suites = message.suites;
    }
    this.trouble = null;
    this.turn += 1;
    this.changedSignal.emit();
  }

  async ask(): Promise<void> {
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
    if (turn === this.turn) {
      // Else this answer is older than what was told, or asked for, meanwhile.
      Object.assign(this, { jobs, suites, trouble });
    }
    this.changedSignal.emit();
  }

  pauseMs(): number {
    return this.hasActive ? BUSY_POLL_MS : IDLE_POLL_MS;
  }

  private async attempt(action: () => Promise<unknown>): Promise<void> {
    try {
      this.refusal = null;
      await action();
    } catch (error) {
      this.refusal = asRefusal(error);
    }
    await this.follower.refresh();
  }
}

/** The list with what has changed, in the server's order, without what it has forgotten. */
function merged(known: readonly JobInfo[], told: JobsChanged): JobInfo[] {
  const byId = new Map([...known, ...told.jobs].map(job => [job.id, job]));
  return told.ids.flatMap(id => byId.get(id) ?? []);
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
