import type { Columns, Frame, History } from '../api/generated';

type Value = number | null;

/** Ticks may come twice, but not from this long ago: then the server's clock was set back. */
const CLOCK_SET_BACK_SECONDS = 5;

/** The recent past of one device: a column of times and one per metric, missing values as null. */
export class Track {
  readonly times: number[] = [];
  readonly values = new Map<string, Value[]>();

  constructor(private readonly seconds: number) {}

  /** Fill from the server's history. */
  seed(columns: Columns): void {
    this.times.splice(0, this.times.length, ...columns.times_seconds);
    this.values.clear();
    for (const [name, series] of Object.entries(columns.metrics)) {
      this.values.set(name, [...series.mean]);
    }
  }

  /** Add a tick of these metrics; what is older than the window goes. */
  push(
    time: number,
    readings: Record<string, unknown>,
    names: readonly string[]
  ): void {
    const newest = this.times[this.times.length - 1] ?? -Infinity;
    if (newest - time > CLOCK_SET_BACK_SECONDS) {
      this.times.length = 0; // the curve begins anew
      this.values.clear();
    } else if (time <= newest) {
      return; // a tick that the history held already
    }
    this.times.push(time);
    for (const name of names) {
      const reading = readings[name];
      let column = this.values.get(name);
      if (column === undefined) {
        column = new Array<Value>(this.times.length - 1).fill(null);
        this.values.set(name, column);
      }
      column.push(typeof reading === 'number' ? reading : null);
    }
    for (const column of this.values.values()) {
      if (column.length < this.times.length) {
        column.push(null);
      }
    }
    this.trim(time - this.seconds);
  }

  private trim(oldest: number): void {
    const first = this.times.findIndex(time => time >= oldest);
    // Not at every tick: to move all values by one place takes as long as to move them by many.
    if (first > this.times.length / 8) {
      this.times.splice(0, first);
      for (const column of this.values.values()) {
        column.splice(0, first);
      }
    }
  }
}

/** The recent past of all devices. */
export class Tracks {
  private readonly tracks = new Map<string, Track>();

  constructor(readonly seconds: number) {}

  of(uuid: string): Track {
    let track = this.tracks.get(uuid);
    if (track === undefined) {
      track = new Track(this.seconds);
      this.tracks.set(uuid, track);
    }
    return track;
  }

  seed(history: History): void {
    this.tracks.clear();
    for (const [uuid, columns] of Object.entries(history.devices)) {
      this.of(uuid).seed(columns);
    }
  }

  /** Keep these metrics of a frame. */
  push(frame: Frame, names: readonly string[]): void {
    for (const [uuid, readings] of Object.entries(frame.devices)) {
      this.of(uuid).push(frame.time_seconds, readings, names);
    }
  }
}
