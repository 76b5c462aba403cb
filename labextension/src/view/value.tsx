import * as React from 'react';

import type { Interval } from '../api/generated';
import { formatInterval } from '../format';
import { trans } from '../translation';

/** A figure with its interval and number of samples, in a list of figures. */
export function Value(props: {
  name: string;
  interval: Interval;
  count?: number;
}): JSX.Element {
  const { name, interval, count } = props;
  const figure = formatInterval(name, interval);
  return (
    <>
      <dd>
        <span className="jp-GpuPerf-number">{figure.text}</span>
        <span className="jp-GpuPerf-unit"> {figure.unit}</span>
      </dd>
      <dd
        className="jp-GpuPerf-note"
        title={trans.__('95 % confidence interval')}
      >
        {figure.range}
        {count ? ` n = ${count}` : ''}
      </dd>
    </>
  );
}
