import { ISignal, Signal } from '@lumino/signaling';

import type { KernelInfo, Processes, ProcessInfo } from '../api/generated';
import { Refusal, Rest } from '../api/rest';
import { BROWSER, IWorld } from './world';

const POLL_MS = 2000;

/** A notebook, or whatever has a kernel, and what its processes hold. */
export interface IHolder {
  /** The kernel's id; for processes without a kernel, the pid that the driver gave. */
  readonly id: string;
  readonly kernel: KernelInfo | null;
  readonly processes: readonly (ProcessInfo & { readonly device: string })[];
  /** All memory that it holds; null where one process's is not known. */
  readonly memoryBytes: number | null;
}

/** Who uses the devices; asked for while somebody looks. */
export class ProcessesModel {
  processes: Processes | null = null;
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

  /** Notebooks first, those that hold most first; then processes without one. */
  get holders(): IHolder[] {
    const found = new Map<string, (ProcessInfo & { device: string })[]>();
    for (const [device, list] of Object.entries(
      this.processes?.devices ?? {}
    )) {
      for (const process of list.processes) {
        const id = process.kernel?.kernel_id ?? String(process.driver_pid);
        found.set(id, [...(found.get(id) ?? []), { ...process, device }]);
      }
    }
    return [...found]
      .map(([id, processes]) => ({
        id,
        processes,
        kernel: processes[0].kernel,
        memoryBytes: sumOf(processes.map(each => each.memory_used_bytes))
      }))
      .sort(
        (a, b) =>
          Number(a.kernel === null) - Number(b.kernel === null) ||
          (b.memoryBytes ?? 0) - (a.memoryBytes ?? 0)
      );
  }

  watch(watching: boolean): void {
    this.watching = watching;
    this.update();
  }

  async refresh(): Promise<void> {
    clearTimeout(this.timer);
    try {
      this.processes = await this.rest.processes();
      this.trouble = null;
    } catch (error) {
      this.trouble =
        error instanceof Refusal
          ? error
          : new Refusal('unexpected', String(error), '');
    }
    this.changedSignal.emit();
    if (this.following) {
      this.timer = setTimeout(() => void this.refresh(), POLL_MS);
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

function sumOf(readings: readonly (number | string)[]): number | null {
  return readings.every(each => typeof each === 'number')
    ? readings.reduce<number>((sum, each) => sum + Number(each), 0)
    : null;
}
