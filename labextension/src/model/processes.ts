import type {
  KernelInfo,
  KernelReport,
  Processes,
  ProcessInfo
} from '../api/generated';
import { attempt, Rest } from '../api/rest';
import { Polled } from './follower';

const POLL_MS = 2000;

/** A notebook, or another owner of a kernel, and the memory of its processes. */
export interface IHolder {
  /** The kernel's id; for processes without a kernel, the pid reported by the driver and the machine. */
  readonly id: string;
  readonly kernel: KernelInfo | null;
  readonly processes: readonly (ProcessInfo & IOnDevice)[];
  /** The notebook's own reports, if the driver's list doesn't show its memory. */
  readonly reports: readonly (KernelReport & IOnDevice)[];
  /** All memory of the holder; null if the memory of any of its processes is not known. */
  readonly memoryBytes: number | null;
}

interface IOnDevice {
  readonly device: string;
}

/** The processes on the devices; requested while a view shows them. */
export class ProcessesModel extends Polled {
  processes: Processes | null = null;

  constructor(private readonly rest: Rest) {
    super();
  }

  /** Notebooks first, those with the most memory first; then processes without a notebook. */
  get holders(): IHolder[] {
    const devices = Object.entries(this.processes?.devices ?? {});
    const processes = devices.flatMap(([device, list]) =>
      list.processes.map(each => ({ ...each, device }))
    );
    const reports = devices.flatMap(([device, list]) =>
      (list.reports ?? []).map(each => ({ ...each, device }))
    );
    return [...new Set([...processes, ...reports].map(idOf))]
      .map(id => {
        const own = processes.filter(each => idOf(each) === id);
        const reported = reports.filter(each => idOf(each) === id);
        return {
          id,
          processes: own,
          reports: reported,
          kernel: (own[0] ?? reported[0]).kernel,
          memoryBytes: sumOf([
            ...own.map(each => each.memory_used_bytes),
            ...reported.map(each => each.reserved_bytes)
          ])
        };
      })
      .sort(
        (a, b) =>
          Number(a.kernel === null) - Number(b.kernel === null) ||
          (b.memoryBytes ?? 0) - (a.memoryBytes ?? 0)
      );
  }

  protected async ask(): Promise<void> {
    this.error = await attempt(async () => {
      this.processes = await this.rest.processes();
    });
    this.changed.emit();
  }

  protected pauseMs(): number {
    return POLL_MS;
  }
}

function idOf(each: ProcessInfo | KernelReport): string {
  return (
    each.kernel?.kernel_id ??
    ('driver_pid' in each ? `${each.driver_pid} ${each.host}` : '')
  );
}

function sumOf(readings: readonly (number | string)[]): number | null {
  return readings.every(each => typeof each === 'number')
    ? readings.reduce<number>((sum, each) => sum + Number(each), 0)
    : null;
}
