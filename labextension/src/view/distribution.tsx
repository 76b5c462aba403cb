import * as React from 'react';

import type { Interval } from '../api/generated';
import { formatQuantity, labelOf, unitOf } from '../format';
import { binsOf } from '../model/bins';
import { trans, translated } from '../translation';
import { ChartTable } from './chartTable';
import { Drawing } from './drawing';

const HEIGHT = 24;

interface IDistributionProps {
  readonly name: string;
  readonly samples: readonly number[];
  /** The figure that was estimated from the samples, if there is one. */
  readonly interval: Interval | undefined;
}

/**
 * The distribution of a figure's samples, with the figure itself and its interval; null if there is
 * nothing to show.
 */
export function Distribution(props: IDistributionProps): JSX.Element | null {
  const { name, samples, interval } = props;
  const bins = binsOf(samples);
  if (bins === null) {
    return null;
  }
  const { low, high, counts } = bins;
  const format = (value: number) => formatQuantity(value, unitOf(name));
  const edge = (place: number) => low + ((high - low) * place) / counts.length;
  const most = Math.max(...counts);
  const width = counts.length;
  const at = (value: number) =>
    Math.max(0, Math.min(width, (width * (value - low)) / (high - low)));
  const label = trans.__(
    'Distribution: %1, %2 samples',
    labelOf(name, translated),
    samples.length
  );
  return (
    <div className="jp-GpuPerf-distribution" data-distribution={name}>
      <Drawing size={[width, 1]} height={HEIGHT}>
        {interval ? (
          <rect
            className="jp-mod-band"
            x={at(interval.low)}
            width={at(interval.high) - at(interval.low)}
            height={1}
          />
        ) : null}
        <Bars all={counts.map((count, i) => [i, count / most])} />
        {interval ? <path d={`M${at(interval.value)} 0v1`} /> : null}
      </Drawing>
      <div className="jp-GpuPerf-ends" aria-hidden="true">
        <span>{format(low)}</span>
        <span>{format(high)}</span>
      </div>
      <ChartTable
        caption={label}
        head={[trans.__('from'), trans.__('to'), trans.__('samples')]}
        rows={counts.map((count, i) => [
          format(edge(i)),
          format(edge(i + 1)),
          String(count)
        ])}
      />
    </div>
  );
}

/** Bars of equal width: their positions, and their heights, at most 1. */
export function Bars(props: {
  all: readonly (readonly [number, number])[];
}): JSX.Element {
  return (
    <>
      {props.all.map(([place, height]) => (
        <rect
          key={place}
          x={place + 0.08}
          width={0.84}
          y={1 - height}
          height={height}
        />
      ))}
    </>
  );
}
