export interface IBins {
  readonly low: number;
  readonly high: number;
  /** The number of samples in each bin; all bins have the same width, from `low` to `high`. */
  readonly counts: readonly number[];
}

const MIN_BINS = 2;
const MAX_BINS = 24;

/** The distribution of the samples; null if there are too few, or all are equal. */
export function binsOf(samples: readonly number[]): IBins | null {
  const low = Math.min(...samples);
  const high = Math.max(...samples);
  if (samples.length < 3 || !(high > low) || !Number.isFinite(high - low)) {
    return null;
  }
  // Rice's rule: it assumes no particular shape.
  const suggested = Math.ceil(2 * Math.cbrt(samples.length));
  const count = Math.max(MIN_BINS, Math.min(MAX_BINS, suggested));
  const counts = new Array<number>(count).fill(0);
  for (const sample of samples) {
    const place = Math.floor((count * (sample - low)) / (high - low));
    counts[Math.min(count - 1, place)] += 1;
  }
  return { low, high, counts };
}
