import * as React from 'react';

import type { ResultSummary } from '../api/generated';
import { formatInterval } from '../format';
import { trans } from '../translation';
import { Drawing } from './drawing';

const HEIGHT = 36;

interface ITrendProps {
  /** Latest first. */
  readonly history: readonly ResultSummary[];
  readonly figure: string;
  /** The number of the result that is shown. */
  readonly current: number;
  /** The number of the result with which the shown one is compared; null if there is none. */
  readonly against: number | null;
}

/** A figure over several results, each with its interval. The list beside it has the same content as text. */
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
    <Drawing className="jp-GpuPerf-trend" size={[100, HEIGHT]} height={HEIGHT}>
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
    </Drawing>
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
      <table aria-label={trans.__('Similar results, latest first')}>
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
                  <IconButton
                    icon={each.baseline ? '★' : '☆'}
                    label={trans.__('Use %1 as baseline', when)}
                    pressed={each.baseline}
                    onClick={() => props.onBaseline(each.id)}
                  />
                  <IconButton
                    icon="⇄"
                    label={trans.__('Compare with %1', when)}
                    pressed={each.id === against}
                    disabled={each.id === current}
                    onClick={() => props.onCompare(each.id)}
                  />
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

interface IIconButtonProps {
  readonly icon: string;
  readonly label: string;
  readonly pressed: boolean;
  readonly disabled?: boolean;
  onClick(): void;
}

function IconButton(props: IIconButtonProps): JSX.Element {
  const { icon, label, pressed, disabled, onClick } = props;
  return (
    <button
      className="jp-GpuPerf-icon"
      aria-pressed={pressed}
      disabled={disabled}
      title={label}
      aria-label={label}
      onClick={onClick}
    >
      {icon}
    </button>
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
