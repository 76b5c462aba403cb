import * as React from 'react';

import type { MetricInfo } from '../api/generated';
import {
  formatReading,
  formatShare,
  IFigure,
  plain,
  widestOf,
  widestReading
} from '../format';
import { trans } from '../translation';
import { formatReason } from './messages';

export type Readings = Record<string, number | string>;

interface IFigureProps {
  readonly metric: MetricInfo;
  readonly readings: Readings;
  /** False inside a button, which can have the focus itself. */
  readonly focusable?: boolean;
  /** Whether to show the total: `542 of 700 W`. */
  readonly share?: boolean;
}

/** A reading as figure and unit, or a dash with the reason on hover and focus. */
export function Figure({
  metric,
  readings,
  focusable = true,
  share = true
}: IFigureProps): JSX.Element {
  const reading = readings[metric.name];
  if (typeof reading !== 'number') {
    const reason = formatReason(String(reading ?? ''));
    return <Missing reason={reason} focusable={focusable} />;
  }
  if (metric.kind === 'flags') {
    return <span>{formatFlags(metric, reading)}</span>;
  }
  const top = topOf(metric, readings);
  const figure = figureOf(metric, reading, share ? top : null);
  // If there is text beside the figure, the style sheet reserves this much space.
  const reserved = {
    '--jp-GpuPerf-widest': `${widestOf(top, metric.unit)}ch`
  } as React.CSSProperties;
  return (
    <span className="jp-GpuPerf-figure">
      <span className="jp-GpuPerf-number" style={reserved}>
        {figure.text}
      </span>
      <span className="jp-GpuPerf-unit"> {figure.unit}</span>
    </span>
  );
}

/** A formatted number, with the total if one is given. */
function figureOf(
  metric: MetricInfo,
  value: number,
  whole: number | null
): IFigure {
  return metric.maximum_metric && whole !== null && metric.unit !== 'mhz'
    ? formatShare(value, whole, metric.unit, total => trans.__('of %1', total))
    : formatReading(value, metric.unit);
}

/** A reading as plain text, or null if it is missing. */
export function formatFigure(
  metric: MetricInfo,
  readings: Readings
): string | null {
  const reading = readings[metric.name];
  if (typeof reading !== 'number') {
    return null;
  }
  return metric.kind === 'flags'
    ? formatFlags(metric, reading)
    : plain(figureOf(metric, reading, topOf(metric, readings)));
}

/** Space is reserved for this share of the maximum: `100 %` is too rare to reserve another digit. */
const USUAL_RATIO = 0.99;

/** The widest common text of a reading, to reserve space for it. */
export function formatWidest(
  metric: MetricInfo,
  readings: Readings,
  share: boolean
): string {
  const top = topOf(metric, readings);
  const widest =
    top === null || metric.kind === 'flags'
      ? widestReading(metric.unit)
      : figureOf(metric, USUAL_RATIO * top, share ? top : null);
  return widest === null ? '' : plain(widest);
}

/** The top of a metric's scale, if it is known. */
export function topOf(metric: MetricInfo, readings: Readings): number | null {
  const top = metric.maximum_metric
    ? readings[metric.maximum_metric]
    : metric.maximum;
  return typeof top === 'number' ? top : null;
}

/** A dash in place of a missing reading, with the reason. */
function Missing(props: { reason: string; focusable: boolean }): JSX.Element {
  const { reason, focusable } = props;
  return (
    <span
      className="jp-GpuPerf-missing"
      title={reason}
      aria-label={reason}
      tabIndex={focusable ? 0 : undefined}
      role={focusable ? 'note' : 'img'}
    >
      –
    </span>
  );
}

/** The names of the set bits of a mask. */
export function formatFlags(metric: MetricInfo, mask: number): string {
  const set = Object.entries(metric.flags).flatMap(([bit, text]) =>
    mask & Number(bit) ? [trans.__(text)] : []
  );
  return set.join(', ') || trans.__('none');
}
