import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { MetricInfo } from '../api/generated';
import { formatReading, formatShare } from '../format';
import { reasonInWords } from './words';

export type Readings = Record<string, number | string>;

interface IFigureProps {
  readonly metric: MetricInfo;
  readonly readings: Readings;
  readonly trans: TranslationBundle;
}

/** A reading as figure and unit, or a dash with the reason on hover and focus. */
export function Figure({ metric, readings, trans }: IFigureProps): JSX.Element {
  const reading = readings[metric.name];
  if (typeof reading !== 'number') {
    return <Missing reason={String(reading ?? '')} trans={trans} />;
  }
  if (metric.kind === 'flags') {
    return <span>{flagsInWords(metric, reading, trans)}</span>;
  }
  const top = metric.maximum_metric
    ? readings[metric.maximum_metric]
    : undefined;
  const figure =
    typeof top === 'number' && metric.unit !== 'mhz'
      ? formatShare(reading, top, metric.unit)
      : formatReading(reading, metric.unit);
  return (
    <span className="jp-GpuPerf-figure">
      <span className="jp-GpuPerf-number">{figure.text}</span>
      <span className="jp-GpuPerf-unit"> {figure.unit}</span>
    </span>
  );
}

/** A dash that says why. */
export function Missing(props: {
  reason: string;
  trans: TranslationBundle;
}): JSX.Element {
  const words = reasonInWords(props.trans, props.reason);
  return (
    <span
      className="jp-GpuPerf-missing"
      title={words}
      aria-label={words}
      tabIndex={0}
      role="note"
    >
      –
    </span>
  );
}

/** The set bits of a mask, in words. */
export function flagsInWords(
  metric: MetricInfo,
  mask: number,
  trans: TranslationBundle
): string {
  const set = Object.entries(metric.flags).filter(
    ([bit]) => (mask & Number(bit)) !== 0
  );
  return set.length === 0
    ? trans.__('nothing')
    : set.map(([, words]) => trans.__(words)).join(', ');
}
