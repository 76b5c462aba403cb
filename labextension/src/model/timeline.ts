import type { Columns, Frame, History } from '../api/generated';

type Value = number | null;

/** The host's key among the devices' UUIDs. */
export const HOST = 'host';

/** Ticks may arrive twice. But if one is older than the latest by more than this, the server's clock was set back. */
const CLOCK_SET_BACK_SECONDS = 5;

/** A paused chart keeps its data, up to this limit. */
const MOST_STEPS = 6000;

/** One metric of one device: three values for each step. */
export interface ISeries {
  readonly min: Value[];
  readonly mean: Value[];
  readonly max: Value[];
  /** The number of ticks in the latest step, to update its mean. */
  ticks: number;
}

/** The metrics of one device, or of the host, at the same times. */
export class Track {
  readonly times: number[] = [];
  readonly series = new Map<string, ISeries>();

  metric(name: string): ISeries {
    let series = this.series.get(name);
    if (series === undefined) {
      const empty = () => this.times.map(() => null);
      series = { min: empty(), mean: empty(), max: empty(), ticks: 0 };
      this.series.set(name, series);
    }
    return series;
  }

  seed(columns: Columns): void {
    this.times.splice(0, this.times.length, ...columns.times_seconds);
    this.series.clear();
    const metrics = structuredClone(columns.metrics); // a copy, because the columns grow
    for (const [name, series] of Object.entries(metrics)) {
      this.series.set(name, { ...series, ticks: 1 });
    }
  }

  /** Add a tick to the latest step, or start the next step. */
  push(
    time: number,
    readings: Record<string, unknown>,
    metrics: readonly string[]
  ): void {
    const newest = this.times[this.times.length - 1] ?? -Infinity;
    if (newest - time > CLOCK_SET_BACK_SECONDS) {
      this.times.length = 0; // the curve starts anew
      this.series.clear();
      this.times.push(time);
    } else if (time > newest) {
      this.times.push(time);
    } else if (time < newest) {
      return; // the history already contains this tick
    }
    const last = this.times.length - 1;
    for (const metric of metrics) {
      const series = this.metric(metric);
      const reading = readings[metric];
      add(series, last, typeof reading === 'number' ? reading : null);
    }
    for (const series of this.series.values()) {
      if (series.mean.length <= last) {
        add(series, last, null);
      }
    }
  }

  /** Remove the steps before `oldest`, and those above the limit. */
  trim(oldest: number): void {
    let first = this.times.findIndex(time => time >= oldest);
    first = Math.max(first, this.times.length - MOST_STEPS);
    // Not at every tick: removing one value moves all others, which takes as long as removing many.
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

/** The history of all devices and the host, in the steps that are drawn; new ticks go into the latest step. */
export class Timeline {
  private readonly tracks = new Map<string, Track>();

  /** @param stepSeconds length of a step; if zero, each tick is a step */
  constructor(readonly stepSeconds: number) {}

  track(key: string): Track {
    let track = this.tracks.get(key);
    if (track === undefined) {
      track = new Track();
      this.tracks.set(key, track);
    }
    return track;
  }

  /** The time of the latest step; null if there is none. */
  get newest(): number | null {
    const tracks = [...this.tracks.values()];
    const times = tracks.flatMap(({ times }) => times.slice(-1));
    return times.length > 0 ? Math.max(...times) : null;
  }

  seed(history: History): void {
    this.tracks.clear();
    for (const [uuid, columns] of Object.entries(history.devices)) {
      this.track(uuid).seed(columns);
    }
    this.track(HOST).seed(history.host);
  }

  push(frame: Frame, metrics: readonly string[], oldest: number): void {
    const { stepSeconds } = this;
    const time = frame.time_seconds;
    const step =
      stepSeconds > 0 ? Math.floor(time / stepSeconds) * stepSeconds : time;
    for (const [uuid, readings] of Object.entries(frame.devices)) {
      this.track(uuid).push(step, readings, metrics);
    }
    this.track(HOST).push(step, frame.host, metrics);
    for (const track of this.tracks.values()) {
      track.trim(oldest);
    }
  }
}

/** Summary of a series over a span; null where it has no value. */
export interface ISummary {
  readonly now: Value;
  readonly min: Value;
  readonly mean: Value;
  readonly max: Value;
}

/** Summarise the steps with `from <= time <= to`; the mean is that of the steps' means. */
export function summaryOf(
  track: Track,
  metric: string,
  from: number,
  to: number
): ISummary {
  const { min, mean, max } = track.metric(metric);
  const inside = track.times.flatMap((time, i) =>
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
