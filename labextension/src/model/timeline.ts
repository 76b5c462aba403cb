import type { Columns, Frame, History } from '../api/generated';

type Value = number | null;

/** The host's key among the devices' UUIDs. */
export const HOST = 'host';

/** Ticks may arrive twice. But if one is older than the latest by more than this, the server's clock was set back. */
const CLOCK_SET_BACK_SECONDS = 5;

/**
 * Readings further apart than this, or than `HOLD_STEPS`, are joined by a step and not by a slope: without
 * viewers, the server reads rarely.
 */
const HOLD_SECONDS = 3;
const HOLD_STEPS = 2.5;
/** From this distance on, nothing was read. */
const GAP_SECONDS = 90;
/** Where a step or a gap ends, just before the next reading. */
const JUST_BEFORE_SECONDS = 1e-3;

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

  constructor(private readonly stepSeconds = 0) {}

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
    this.clear();
    for (const name of Object.keys(columns.metrics)) {
      this.metric(name);
    }
    columns.times_seconds.forEach((time, i) => {
      this.bridge(time);
      this.times.push(time);
      for (const [name, series] of this.series) {
        const { min, mean, max } = columns.metrics[name];
        append(series, min[i], mean[i], max[i]);
      }
    });
  }

  /** Add a tick to the latest step, or start the next step. */
  push(
    time: number,
    readings: Record<string, unknown>,
    metrics: readonly string[]
  ): void {
    const newest = this.times[this.times.length - 1] ?? -Infinity;
    if (newest - time > CLOCK_SET_BACK_SECONDS) {
      this.clear(); // the curve starts anew
      this.times.push(time);
    } else if (time > newest) {
      this.bridge(time);
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

  private clear(): void {
    this.times.length = 0;
    this.series.clear();
  }

  /** Hold the latest values until shortly before `time`, or leave a gap, if that is far away. */
  private bridge(time: number): void {
    const last = this.times.length - 1;
    const distance = time - this.times[last];
    const usual = HOLD_STEPS * this.stepSeconds;
    if (!(distance > Math.max(HOLD_SECONDS, usual))) {
      return;
    }
    const isGap = distance > Math.max(GAP_SECONDS, usual);
    this.times.push(time - JUST_BEFORE_SECONDS);
    for (const series of this.series.values()) {
      const at = (values: Value[]) => (isGap ? null : (values[last] ?? null));
      append(series, at(series.min), at(series.mean), at(series.max));
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

function append(series: ISeries, min: Value, mean: Value, max: Value): void {
  series.min.push(min);
  series.mean.push(mean);
  series.max.push(max);
  series.ticks = mean === null ? 0 : 1;
}

function add(series: ISeries, place: number, value: Value): void {
  const { min, mean, max } = series;
  const known = mean[place] ?? null;
  if (mean.length <= place) {
    append(series, value, value, value);
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
      track = new Track(this.stepSeconds);
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
