import type {
  BenchmarkInfo,
  JobInfo,
  JobRequest,
  JobsChanged,
  SuiteInfo,
  SuiteRequest
} from '../api/generated';
import { attempt, RequestError, Rest } from '../api/rest';
import { Follower, Live, Visibility } from './follower';
import type { ListMessage } from './lists';

const BUSY_POLL_MS = 500;
/** Magics start jobs, too, so poll now and then while the panel is visible. */
const IDLE_POLL_MS = 5000;

/** The benchmarks, and the jobs and suites that run them. The server's lists are authoritative. */
export class JobsModel extends Follower {
  benchmarks: BenchmarkInfo[] = [];
  jobs: JobInfo[] = [];
  suites: SuiteInfo[] = [];
  /** Why the last request failed. */
  requestError: RequestError | null = null;
  /** The latest run that was started here and whose result has not been looked at. */
  own = '';

  private turn = 0;

  constructor(
    private readonly rest: Rest,
    live: Live,
    environment?: Visibility
  ) {
    super(['jobs', 'suites'], live, environment);
  }

  /** All runs, the latest first; a suite contains its own jobs. */
  get runs(): (JobInfo | SuiteInfo)[] {
    return [...this.jobs.filter(job => !job.suite), ...this.suites].sort(
      (a, b) => b.created_seconds - a.created_seconds
    );
  }

  /** Start a benchmark; an error is stored for the form to show. */
  run(request: JobRequest): Promise<void> {
    return this.act(async () => {
      this.own = (await this.rest.run(request)).id;
    });
  }

  /** The user looks at the result of the own run, or does not want to. */
  looked(): void {
    this.own = '';
    this.changed.emit();
  }

  /** Cancel a job. */
  cancel(jobId: string): Promise<void> {
    return this.act(() => this.rest.cancel(jobId));
  }

  /** Start a suite; an error is stored for the form to show. */
  runSuite(request: SuiteRequest): Promise<void> {
    return this.act(async () => {
      this.own = (await this.rest.runSuite(request)).id;
    });
  }

  /** Cancel a suite, including its running job. */
  cancelSuite(id: string): Promise<void> {
    return this.act(() => this.rest.cancelSuite(id));
  }

  protected take(message: ListMessage): void {
    if (message.type === 'jobs') {
      this.jobs = merged(this.jobs, message);
    } else if (message.type === 'suites') {
      this.suites = message.suites;
    }
    this.error = null;
    this.turn += 1;
    this.changed.emit();
  }

  protected async ask(): Promise<void> {
    const turn = ++this.turn;
    let { jobs, suites } = this;
    const error = await attempt(async () => {
      if (this.benchmarks.length === 0) {
        this.benchmarks = (await this.rest.benchmarks()).benchmarks;
      }
      const answers = [this.rest.jobs(), this.rest.suites()] as const;
      [{ jobs }, { suites }] = await Promise.all(answers);
    });
    if (turn === this.turn) {
      // Otherwise a message or a later request has overtaken this answer.
      Object.assign(this, { jobs, suites, error });
    }
    this.changed.emit();
  }

  protected pauseMs(): number {
    return this.runs.some(isActive) ? BUSY_POLL_MS : IDLE_POLL_MS;
  }

  private async act(action: () => Promise<unknown>): Promise<void> {
    this.requestError = await attempt(action);
    await this.refresh();
  }
}

/** The updated list, in the server's order, without the jobs that the server no longer has. */
function merged(known: readonly JobInfo[], update: JobsChanged): JobInfo[] {
  const byId = new Map([...known, ...update.jobs].map(job => [job.id, job]));
  return update.ids.flatMap(id => byId.get(id) ?? []);
}

/** Whether a job or a suite is queued or running. */
export function isActive({ state }: Pick<JobInfo, 'state'>): boolean {
  return state === 'queued' || state === 'running';
}
