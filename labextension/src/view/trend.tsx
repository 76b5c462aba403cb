import * as React from 'react';

import type { ResultSummary } from '../api/generated';
import { formatInterval } from '../format';
import { trans } from '../translation';

const HEIGHT = 36;

interface ITrendProps {
  /** Latest first. */
  readonly history: readonly ResultSummary[];
  readonly figure: string;
  /** The result that is shown. */
  readonly current: number;
  /** The result that it is compared with. */
  readonly against: number | null;
}

/** A figure over several results, each with its interval; the list beside it contains the same in words. */
export function Trend(props: ITrendProps): JSX.Element | null {
  const { figure, current, against } = props;
  const history = [...props.history]
    .reverse()
    .filter(each => figure in each.figures);
  if (history.length < 2) {
    return null;
  }
  const intervals = history.map(each => each.figures[figure]);
  const low = Math.min(...intervals.map(each => each.low));
  const high = Math.max(...intervals.map(each => each.high));
  const span = high - low || 1;
  const x = (i: number) => 3 + (94 * i) / (history.length - 1);
  const y = (value: number) => 3 + (HEIGHT - 6) * (1 - (value - low) / span);
  const reference = history.find(each => each.id === against);
  return (
    <svg
      className="jp-GpuPerf-trend"
      viewBox={`0 0 100 ${HEIGHT}`}
      preserveAspectRatio="none"
      height={HEIGHT}
      aria-hidden="true"
    >
      {reference ? (
        <path
          className="jp-mod-reference"
          d={`M0 ${y(reference.figures[figure].value)}H100`}
        />
      ) : null}
      {history.map((each, i) => (
        <React.Fragment key={each.id}>
          <path d={`M${x(i)} ${y(intervals[i].low)}V${y(intervals[i].high)}`} />
          <path
            className={`jp-mod-point${each.id === current ? ' jp-mod-current' : ''}`}
            d={`M${x(i)} ${y(intervals[i].value)}h0`}
          />
        </React.Fragment>
      ))}
    </svg>
  );
}

interface IHistoryProps extends ITrendProps {
  onCompare(id: number): void;
  onBaseline(id: number): void;
}

/** Similar results, latest first: each can be compared with, or made the baseline. */
export function HistoryList(props: IHistoryProps): JSX.Element {
  const { history, figure, current, against } = props;
  const shown = history.filter(each => figure in each.figures);
  return (
    <div className="jp-GpuPerf-history">
      <table aria-label={trans.__('Results like it, newest first')}>
        <tbody>
          {shown.map(each => {
            const value = formatInterval(figure, each.figures[figure]);
            const when = formatWhen(each.created_seconds);
            return (
              <tr
                key={each.id}
                data-result={each.id}
                aria-current={each.id === current || undefined}
              >
                <th scope="row">{when}</th>
                <td title={value.range}>
                  {value.text} {value.unit}
                </td>
                <td>
                  <button
                    className="jp-GpuPerf-icon"
                    aria-pressed={each.baseline}
                    title={trans.__('Hold later results against this one')}
                    aria-label={trans.__('Baseline: %1', when)}
                    onClick={() => props.onBaseline(each.id)}
                  >
                    {each.baseline ? '★' : '☆'}
                  </button>
                  <button
                    className="jp-GpuPerf-icon"
                    aria-pressed={each.id === against}
                    disabled={each.id === current}
                    title={trans.__('Hold this result against that one')}
                    aria-label={trans.__('Compare with %1', when)}
                    onClick={() => props.onCompare(each.id)}
                  >
                    ⇄
                  </button>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** A time with its date, in the reader's short format. */
export function formatWhen(seconds: number): string {
  return new Date(1000 * seconds).toLocaleString(undefined, {
    month: 'numeric',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit'
  });
}
