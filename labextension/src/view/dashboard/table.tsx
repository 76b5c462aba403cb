import * as React from 'react';

import { summaryOf } from '../../model/timeline';
import { trans } from '../../translation';
import type { ISpan } from '../../model/dashboard';
import { formatWhen } from '../trend';
import { formatValue, ITimeChartProps } from './plot';

/** Both ends of a span; with their dates if it is not within one day. */
function formatSpan({ from, to }: ISpan): [string, string] {
  const days = [from, to].map(each => new Date(1000 * each).toDateString());
  const format = (seconds: number) =>
    days[0] === days[1]
      ? new Date(1000 * seconds).toLocaleTimeString(undefined, {
          hour12: false
        })
      : formatWhen(seconds);
  return [format(from), format(to)];
}

/** The interval between updates: short enough to follow, long enough to read. */
const REFRESH_MS = 1000;

/** A chart's content as figures: for users who can't see it, and for copying. */
export function Table({ model, metric, curves }: ITimeChartProps): JSX.Element {
  const [, refresh] = React.useReducer((count: number) => count + 1, 0);
  React.useEffect(() => {
    const timer = setInterval(refresh, REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  const { from, to } = model.visible;
  return (
    <table className="jp-GpuPerf-table">
      <caption>
        {trans.__(
          '%1 from %2 to %3',
          trans.__(metric.label),
          ...formatSpan(model.visible)
        )}
      </caption>
      <thead>
        <tr>
          <td />
          <th scope="col">{trans.__('Last')}</th>
          <th scope="col">{trans.__('Min')}</th>
          <th scope="col">{trans.__('Mean')}</th>
          <th scope="col">{trans.__('Max')}</th>
        </tr>
      </thead>
      <tbody>
        {curves.map(({ key, label }) => {
          const summary = summaryOf(
            model.timeline.track(key),
            metric.name,
            from,
            to
          );
          const { now, min, mean, max } = summary;
          return (
            <tr key={key}>
              <th scope="row">{label}</th>
              {[now, min, mean, max].map((value, i) => (
                <td key={i}>{formatValue(value, metric.unit)}</td>
              ))}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
