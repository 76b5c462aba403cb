import type { LeverResult } from '../api/generated';
import { formatInterval, plain } from '../format';
import { translate } from './translate';

/** The levers that were not taken, those that were timed first: `✗ bf16 0.44 ×: It is slower.` */
export function formatLeft(levers: readonly LeverResult[]): string[] {
  return levers
    .filter(each => !each.taken)
    .sort((a, b) => Number(!a.speedup) - Number(!b.speedup))
    .map(each => {
      const { name, speedup } = each;
      const sign = speedup && speedup.high < 1 ? '✗ ' : '';
      const figure = speedup
        ? ` ${plain(formatInterval('speedup', speedup))}`
        : '';
      return `${sign}${name}${figure}: ${translate(each, 'why')}`;
    });
}
