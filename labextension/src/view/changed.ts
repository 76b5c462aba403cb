import type { FigureChange } from '../api/generated';
import {
  formatInterval,
  labelOf,
  plain,
  significant,
  readableName
} from '../format';
import { trans, translated } from '../translation';

/** The change of a figure: `3.1 % slower`, `no difference`. The server decides the verdict. */
export function formatChange({
  figure,
  unit,
  ratio,
  verdict
}: FigureChange): string {
  if (verdict === 'same') {
    return trans.__('no difference');
  }
  if (verdict === 'unknown') {
    return trans.__('inconclusive');
  }
  const share = `${significant(100 * Math.abs(ratio.value - 1))} %`;
  const name = `${figure}_${unit}`;
  if (figure.endsWith('_bytes')) {
    return ratio.value > 1
      ? trans.__('%1 more', share)
      : trans.__('%1 less', share);
  }
  return /_(seconds|per_second|speedup)/.test(name)
    ? verdict === 'worse'
      ? trans.__('%1 slower', share)
      : trans.__('%1 faster', share)
    : verdict === 'worse'
      ? trans.__('%1 worse', share)
      : trans.__('%1 better', share);
}

/** The ratio with its interval: `1.031× [1.021, 1.042]`; empty if a figure was zero. */
export function formatRatio({ ratio }: FigureChange): string {
  return ratio.value > 0
    ? `${ratio.value.toFixed(3)}× [${ratio.low.toFixed(3)}, ${ratio.high.toFixed(3)}]`
    : '';
}

/** Both values, without intervals: `11.2 ms → 11.6 ms`. */
export function formatBoth({ figure, before, after }: FigureChange): string {
  return [before, after]
    .map(each => plain(formatInterval(figure, each)))
    .join(' → ');
}

/** The name of a figure, after that of its benchmark. */
export function formatFigureName(change: FigureChange): string {
  const label = labelOf(change.figure, translated);
  return `${change.benchmark} · ${label}`;
}

/** Parameters as text, without those that only affect how precise the measurement is. */
export function formatSettings(parameters: FigureChange['parameters']): string {
  return Object.entries(parameters)
    .filter(
      ([name, value]) =>
        !['rigorous', 'time_limit_seconds'].includes(name) &&
        value !== false &&
        value !== ''
    )
    .map(([name, value]) => {
      const label = trans.__(readableName(name));
      return value === true ? label : `${label} ${value}`;
    })
    .join(', ');
}
