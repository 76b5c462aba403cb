import * as React from 'react';

import type { Interval } from '../api/generated';
import { formatReading, labelOf, plain, unitOf } from '../format';
import { binsOf } from '../model/bins';
import { trans, translated } from '../translation';
import { Behind } from './behind';

const HEIGHT = 24;

interface IDistributionProps {
  readonly name: string;
  readonly samples: readonly number[];
  /** The estimate, where it is one of the same quantity. */
  readonly interval: Interval | undefined;
}

/** How a figure's samples lie, with the estimate and its interval; nothing where there is nothing to see. */
export function Distribution(props: IDistributionProps): JSX.Element | null {
  const { name, samples, interval } = props;
  const bins = binsOf(samples);
  if (bins === null) {
    return null;
  }
  const { low, high, counts } = bins;
  const words = (value: number) => plain(formatReading(value, unitOf(name)));
  const edge = (place: number) => low + ((high - low) * place) / counts.length;
  const most = Math.max(...counts);
  const width = 100 / counts.length;
  const at = (value: number) =>
    Math.max(0, Math.min(100, (100 * (value - low)) / (high - low)));
  const label = trans.__(
    'Distribution: %1, %2 samples',
    labelOf(name, translated),
    samples.length
  );
  return (
    <div className="jp-GpuPerf-distribution" data-distribution={name}>
      <svg
        viewBox={`0 0 100 ${HEIGHT}`}
        preserveAspectRatio="none"
        height={HEIGHT}
        aria-hidden="true"
      >
        {interval ? (
          <rect
            className="jp-mod-band"
            x={at(interval.low)}
            width={at(interval.high) - at(interval.low)}
            height={HEIGHT}
          />
        ) : null}
        {counts.map((count, i) => (
          <rect
            key={i}
            x={i * width + width * 0.08}
            width={width * 0.84}
            y={HEIGHT * (1 - count / most)}
            height={(HEIGHT * count) / most}
          />
        ))}
        {interval ? <path d={`M${at(interval.value)} 0v${HEIGHT}`} /> : null}
      </svg>
      <div className="jp-GpuPerf-ends" aria-hidden="true">
        <span>{words(low)}</span>
        <span>{words(high)}</span>
      </div>
      <Behind
        caption={label}
        head={[trans.__('from'), trans.__('to'), trans.__('samples')]}
        rows={counts.map((count, i) => [
          words(edge(i)),
          words(edge(i + 1)),
          String(count)
        ])}
      />
    </div>
  );
}
