import { Signal } from '@lumino/signaling';

import type { CheckFinding, DoctorReport } from '../api/generated';
import type { Refusal, Rest } from '../api/rest';
import { asRefusal } from './jobs';
import { BROWSER, IWorld } from './world';

/** The page loads first: importing torch takes seconds of the server's processors. */
const FIRST_LOOK_MS = 3000;

/** What an environment is like; asked for once when somebody looks, and again when told to. */
export class DoctorModel {
  readonly changed = new Signal<this, void>(this);
  report: DoctorReport | null = null;
  trouble: Refusal | null = null;
  busy = false;
  /** The kernel spec that is examined; empty for the server's own Python. */
  kernel = '';

  private turn = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private watching = false;

  constructor(
    private readonly rest: Pick<Rest, 'doctor'>,
    private readonly world: Pick<
      IWorld,
      'isVisible' | 'onVisibilityChange'
    > = BROWSER,
    private readonly firstLookMs = FIRST_LOOK_MS
  ) {
    world.onVisibilityChange(() => this.update());
  }

  /** The checks that came out like this. */
  with(...statuses: CheckFinding['status'][]): CheckFinding[] {
    return statuses.flatMap(
      status => this.report?.checks.filter(each => each.status === status) ?? []
    );
  }

  watch(watching: boolean): void {
    this.watching = watching;
    this.update();
  }

  private update(): void {
    clearTimeout(this.timer);
    const looking = this.watching && this.world.isVisible();
    if (looking && !this.busy && this.report === null) {
      this.timer = setTimeout(() => void this.examine(false), this.firstLookMs);
    }
  }

  choose(kernel: string): void {
    this.kernel = kernel;
    this.report = null; // it tells of another environment
    void this.examine(false);
  }

  async examine(anew: boolean): Promise<void> {
    const turn = ++this.turn;
    clearTimeout(this.timer);
    this.busy = true;
    this.trouble = null;
    this.changed.emit();
    let report: DoctorReport | null = null;
    let trouble: Refusal | null = null;
    try {
      report = await this.rest.doctor(this.kernel, anew);
    } catch (error) {
      trouble = asRefusal(error);
    }
    if (turn === this.turn) {
      // else another environment was chosen meanwhile
      this.busy = false;
      this.report = report ?? this.report;
      this.trouble = trouble;
      this.changed.emit();
    }
  }
}
