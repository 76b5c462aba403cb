import * as React from 'react';

import { BAND_SECONDS, IBandPoint } from '../model/training';
import { Drawing } from './drawing';

/** The size in the drawing's own units; the drawing is stretched to the panel's width. */
const WIDTH = 240;
const HEIGHT = 36;
/** Between points further apart than this, the band has a gap. */
const GAP_SECONDS = 6;

interface IBandProps {
  readonly points: readonly IBandPoint[];
  /** The latest time, at the right. */
  readonly now: number;
  readonly label: string;
}

/**
 * The last two minutes of steps as a stacked band. From the bottom up: busy, waiting for data
 * (hatched), and the remaining host time.
 */
export function Band({ points, now, label }: IBandProps): JSX.Element {
  const id = React.useId();
  const runs = runsOf(points);
  return (
    <Drawing className="jp-GpuPerf-band" size={[WIDTH, HEIGHT]} label={label}>
      <defs>
        <pattern
          id={id}
          width="4"
          height="4"
          patternUnits="userSpaceOnUse"
          patternTransform="rotate(45)"
        >
          <rect className="jp-mod-ground" width="4" height="4" />
          <rect className="jp-mod-stripe" width="1.5" height="4" />
        </pattern>
      </defs>
      {runs.map((run, i) => (
        <React.Fragment key={i}>
          <path
            className="jp-mod-rest"
            d={area(
              run,
              now,
              () => 0,
              () => 1
            )}
          />
          <path className="jp-mod-busy" d={area(run, now, () => 0, busyOf)} />
          <path
            className="jp-mod-data"
            fill={`url(#${id})`}
            d={area(run, now, busyOf, point => busyOf(point) + dataOf(point))}
          />
        </React.Fragment>
      ))}
    </Drawing>
  );
}

function dataOf({ split }: IBandPoint): number {
  return Math.min(1, split.data ?? 0);
}

function busyOf(point: IBandPoint): number {
  return point.split.busy ?? 0;
}

function runsOf(points: readonly IBandPoint[]): IBandPoint[][] {
  const runs: IBandPoint[][] = [];
  points.forEach((point, i) => {
    if (i === 0 || point.time - points[i - 1].time > GAP_SECONDS) {
      runs.push([]);
    }
    runs[runs.length - 1].push(point);
  });
  return runs;
}

type Height = (point: IBandPoint) => number;

function area(
  run: readonly IBandPoint[],
  now: number,
  from: Height,
  to: Height
): string {
  const x = (point: IBandPoint) =>
    (WIDTH * (1 - (now - point.time) / BAND_SECONDS)).toFixed(1);
  const y = (share: number) => (HEIGHT * (1 - share)).toFixed(1);
  // A single point is drawn one second wide.
  const last = run[run.length - 1];
  const first = { ...run[0], time: run[0].time - 1 };
  const all = [first, ...run];
  const top = all.map(point => `${x(point)},${y(to(point))}`);
  const bottom = [...all]
    .reverse()
    .map(point => `${x(point)},${y(from(point))}`);
  return last === undefined ? '' : `M${[...top, ...bottom].join('L')}Z`;
}
