import type { Columns, Frame, History } from '../api/generated';

type Value = number | null;

/** The host's key beside the devices' UUIDs. */
export const HOST = 'host';

/** Ticks may come twice, but not from this long ago: then the server's clock was set back. */
const CLOCK_SET_BACK_SECONDS = 5;

/** A paused chart keeps what it shows; but not for ever. */
const MOST_STEPS = 6000;

/** One metric of one device: a value per step of its track. */
export interface ISeries {
  readonly min: Value[];
  readonly mean: Value[];
  readonly max: Value[];
  /** How many ticks the step that runs has, so that its mean can go on. */
  ticks: number;
}

/** One device's steps. */
export class Steps {
  readonly times: number[] = [];
  readonly series = new Map<string, ISeries>();

  of(metric: string): ISeries {
    let series = this.series.get(metric);
    if (series === undefined) {
      const empty = () => this.times.map(() => null);
      series = { min: empty(), mean: empty(), max: empty(), ticks: 0 };
      this.series.set(metric, series);
    }
    return series;
  }

  seed(columns: Columns): void {
    this.times.splice(0, this.times.length, ...columns.times_seconds);
    this.series.clear();
    const metrics = structuredClone(columns.metrics); // they go on growing
    for (const [name, series] of Object.entries(metrics)) {
      this.series.set(name, { ...series, ticks: 1 });
    }
  }

  /** Add a tick to the step that runs, or begin the next one. */
  push(
    time: number,
    readings: Record<string, unknown>,
    metrics: readonly string[]
  ): void {
    const newest = this.times[this.times.length - 1] ?? -Infinity;
    if (newest - time > CLOCK_SET_BACK_SECONDS) {
      this.times.length = 0; // the curve begins anew
      this.series.clear();
      this.times.push(time);
    } else if (time > newest) {
      this.times.push(time);
    } else if (time < newest) {
      return; // a tick that the history held already
    }
    const last = this.times.length - 1;
    for (const metric of metrics) {
      const series = this.of(metric);
      const reading = readings[metric];
      add(series, last, typeof reading === 'number' ? reading : null);
    }
    for (const series of this.series.values()) {
      if (series.mean.length <= last) {
        add(series, last, null);
      }
    }
  }

  /** Forget what is older. */
  trim(oldest: number): void {
    let first = this.times.findIndex(time => time >= oldest);
    first = Math.max(first, this.times.length - MOST_STEPS);
    // Not at every tick: to move all values by one place takes as long as to move them by many.
    if (first > this.times.length / 8) {
      this.times.splice(0, first);
      for (const { min, mean, max } of this.series.values()) {
        min.splice(0, first);
        mean.splice(0, first);
        max.splice(0, first);
      }
    }
  }
}

function add(series: ISeries, place: number, value: Value): void {
  const { min, mean, max } = series;
  const known = mean[place] ?? null;
  if (mean.length <= place) {
    min[place] = mean[place] = max[place] = value;
    series.ticks = value === null ? 0 : 1;
  } else if (value !== null) {
    series.ticks += 1;
    mean[place] =
      known === null ? value : known + (value - known) / series.ticks;
    min[place] = Math.min(min[place] ?? value, value);
    max[place] = Math.max(max[place] ?? value, value);
  }
}

/** The past of all devices and the host in steps, as it is drawn; new ticks go into the last step. */
export class Timeline {
  private readonly tracks = new Map<string, Steps>();

  /** @param stepSeconds zero: each tick is a step of its own */
  constructor(readonly stepSeconds: number) {}

  of(key: string): Steps {
    let steps = this.tracks.get(key);
    if (steps === undefined) {
      steps = new Steps();
      this.tracks.set(key, steps);
    }
    return steps;
  }

  /** The time of the newest step; null when there is none. */
  get newest(): number | null {
    const tracks = [...this.tracks.values()];
    const times = tracks.flatMap(({ times }) => times.slice(-1));
    return times.length > 0 ? Math.max(...times) : null;
  }

  seed(history: History): void {
    this.tracks.clear();
    for (const [uuid, columns] of Object.entries(history.devices)) {
      this.of(uuid).seed(columns);
    }
    this.of(HOST).seed(history.host);
  }

  push(frame: Frame, metrics: readonly string[], oldest: number): void {
    const { stepSeconds } = this;
    const time = frame.time_seconds;
    const step =
      stepSeconds > 0 ? Math.floor(time / stepSeconds) * stepSeconds : time;
    for (const [uuid, readings] of Object.entries(frame.devices)) {
      this.of(uuid).push(step, readings, metrics);
    }
    this.of(HOST).push(step, frame.host, metrics);
    for (const steps of this.tracks.values()) {
      steps.trim(oldest);
    }
  }
}

/** What a span of a series comes to; null where it has no value. */
export interface ISummary {
  readonly now: Value;
  readonly min: Value;
  readonly mean: Value;
  readonly max: Value;
}

/** Summarise the steps with `from <= time <= to`; the mean is that of the steps. */
export function summaryOf(
  steps: Steps,
  metric: string,
  from: number,
  to: number
): ISummary {
  const { min, mean, max } = steps.of(metric);
  const inside = steps.times.flatMap((time, i) =>
    from <= time && time <= to && typeof mean[i] === 'number' ? [i] : []
  );
  const column = (values: Value[]) => inside.map(i => values[i]!);
  const means = column(mean);
  return means.length === 0
    ? { now: null, min: null, mean: null, max: null }
    : {
        now: means[means.length - 1],
        min: Math.min(...column(min)),
        mean: means.reduce((sum, each) => sum + each) / means.length,
        max: Math.max(...column(max))
      };
}
