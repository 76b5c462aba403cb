import type { CheckFinding, DoctorReport } from '../api/generated';
import { attempt, Rest } from '../api/rest';
import { Visibility, Watched } from './follower';

/** Let the page load first: importing torch takes seconds of the server's CPU time. */
const FIRST_REPORT_DELAY_MS = 3000;

/** The report on an environment; requested when a view first shows it, and again on demand. */
export class DoctorModel extends Watched {
  report: DoctorReport | null = null;
  busy = false;
  /** The examined kernel spec; empty for the server's own Python. */
  kernel = '';

  private turn = 0;

  constructor(
    private readonly rest: Pick<Rest, 'doctor'>,
    environment?: Visibility,
    private readonly firstReportDelayMs = FIRST_REPORT_DELAY_MS
  ) {
    super(environment);
  }

  /** The checks with one of these statuses. */
  withStatus(...statuses: CheckFinding['status'][]): CheckFinding[] {
    return statuses.flatMap(
      status => this.report?.checks.filter(each => each.status === status) ?? []
    );
  }

  choose(kernel: string): void {
    this.kernel = kernel;
    this.report = null; // it describes another environment
    void this.examine(false);
  }

  async examine(refresh: boolean): Promise<void> {
    const turn = ++this.turn;
    clearTimeout(this.timer);
    this.busy = true;
    this.error = null;
    this.changed.emit();
    let { report } = this;
    const error = await attempt(async () => {
      report = await this.rest.doctor(this.kernel, refresh);
    });
    if (turn === this.turn) {
      // Otherwise a later request has replaced this one.
      Object.assign(this, { busy: false, report, error });
      this.changed.emit();
    }
  }

  protected follow(): void {
    if (this.following && !this.busy && this.report === null) {
      this.timer = setTimeout(
        () => void this.examine(false),
        this.firstReportDelayMs
      );
    }
  }
}
