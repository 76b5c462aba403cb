export interface IBins {
  readonly low: number;
  readonly high: number;
  /** How many samples each part holds, all of one width, from `low` to `high`. */
  readonly counts: readonly number[];
}

const FEWEST = 2;
const MOST = 24;

/** How the samples lie; null where there is nothing to see: too few, or all the same. */
export function binsOf(samples: readonly number[]): IBins | null {
  const low = Math.min(...samples);
  const high = Math.max(...samples);
  if (samples.length < 3 || !(high > low) || !Number.isFinite(high - low)) {
    return null;
  }
  // Rice's rule: without assuming any shape.
  const wished = Math.ceil(2 * Math.cbrt(samples.length));
  const count = Math.max(FEWEST, Math.min(MOST, wished));
  const counts = new Array<number>(count).fill(0);
  for (const sample of samples) {
    const place = Math.floor((count * (sample - low)) / (high - low));
    counts[Math.min(count - 1, place)] += 1;
  }
  return { low, high, counts };
}
