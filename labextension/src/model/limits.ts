import type { BenchmarkResult } from '../api/generated';

/** The share of a limit that is reached. For a duration, the limit is a minimum; for a rate, a maximum. */
export function shareOf(name: string, value: number, limit: number): number {
  return name.endsWith('_seconds') ? limit / value : value / limit;
}

/** One figure and the two limits on it. */
export interface IRoof {
  readonly name: string;
  /** Operations per byte of the minimum memory traffic. */
  readonly intensity: number;
  readonly achieved: number;
  readonly peak: number;
  readonly bandwidth: number;
  /** The lower of the two limits: the maximum rate at this intensity. */
  readonly attainable: number;
  readonly boundByMemory: boolean;
}

const FLOPS = 'flops_per_second';
const BANDWIDTH = 'memory_bytes_per_second';

/** The figures whose operations and bytes are known, on a chip with known limits. */
export function roofsOf(result: BenchmarkResult): IRoof[] {
  const bandwidth = result.limits[BANDWIDTH];
  return Object.entries(result.figures).flatMap(([name, { value }]) => {
    const prefix = name.slice(0, -FLOPS.length);
    const intensity = result.environment[`${prefix}flop_per_byte`];
    const peak = result.limits[name];
    if (
      !name.endsWith(FLOPS) ||
      !bandwidth ||
      !peak ||
      typeof intensity !== 'number'
    ) {
      return [];
    }
    const roof = {
      name,
      intensity,
      achieved: value,
      peak,
      bandwidth,
      attainable: Math.min(peak, intensity * bandwidth),
      boundByMemory: intensity * bandwidth < peak
    };
    return [roof];
  });
}
