import * as React from 'react';

import { formatReading, plain, unitOf } from '../format';
import { percent } from '../model/export';
import { shareOf } from '../model/limits';
import { trans } from '../translation';

interface ILimitProps {
  readonly name: string;
  readonly value: number;
  readonly limit: number;
  /** The best value stored on this machine; undefined while it is not known. */
  readonly best: number | undefined;
}

/** A figure as a bar relative to the chip's limit, with a mark at this machine's best value. */
export function Limit(props: ILimitProps): JSX.Element {
  const { name, value, limit, best } = props;
  const share = shareOf(name, value, limit);
  const whole = plain(formatReading(limit, unitOf(name)));
  const said = [
    name.endsWith('_seconds')
      ? trans.__('at least %2, %1 reached', percent(share), whole)
      : trans.__('%1 of %2', percent(share), whole)
  ];
  if (best !== undefined) {
    said.push(
      value < best
        ? trans.__('%1 of the best here', percent(value / best))
        : trans.__('the best here')
    );
  }
  const place = (ratio: number) => `${100 * Math.min(1, ratio)}%`;
  return (
    <div data-limit={name}>
      <div className="jp-GpuPerf-track" aria-hidden="true">
        <div style={{ width: place(share) }} />
        {best !== undefined ? (
          <i style={{ left: place(shareOf(name, best, limit)) }} />
        ) : null}
      </div>
      <span className="jp-GpuPerf-note">{said.join(' · ')}</span>
    </div>
  );
}
