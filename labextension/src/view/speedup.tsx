import * as React from 'react';

import type {
  BenchmarkResult,
  Interval,
  SpeedupReport
} from '../api/generated';
import { trans } from '../translation';
import { Code } from './code';
import { Note } from './elements';
import { formatLeft } from './levers';
import { Sentences } from './precision';
import { translate, translateAll } from './translate';
import { Value } from './value';

/** A cell made faster, or what was tried so far: the steps to it, what was left out and why, the code. */
export function Speedup(props: {
  report: SpeedupReport;
  figures: BenchmarkResult['figures'];
}): JSX.Element {
  const { report, figures } = props;
  const { before_seconds: before, after_seconds: after } = figures;
  const taken = report.levers.filter(each => each.taken);
  return (
    <div className="jp-GpuPerf-precision">
      <p>
        <strong>{translate(report, 'sentence')}</strong>
      </p>
      <Note>{translateAll(report, 'facts').join(' · ')}</Note>
      {taken.length > 0 ? (
        <dl className="jp-GpuPerf-result">
          <Step label={trans.__('as it was')} interval={before} ratio={1} />
          {taken.map(each => (
            <Step
              key={each.name}
              label={each.name}
              interval={each.speedup}
              isSpeedup
              ratio={1 / (each.speedup_so_far ?? 1)}
            />
          ))}
          {before && after ? (
            <Step
              label={trans.__('the code below')}
              interval={after}
              ratio={after.value / before.value}
            />
          ) : null}
        </dl>
      ) : null}
      <Sentences
        title={trans.__('Left out')}
        sentences={formatLeft(report.levers)}
      />
      {report.code ? (
        <>
          <h4>{trans.__('The whole cell:')}</h4>
          <Code code={report.code} />
        </>
      ) : null}
    </div>
  );
}

/** A step of the waterfall; the bar is its time as a share of that at the beginning. */
function Step(props: {
  label: string;
  interval: Interval | null | undefined;
  isSpeedup?: boolean;
  ratio: number;
}): JSX.Element {
  const { label, interval, isSpeedup, ratio } = props;
  return (
    <div data-step={label}>
      <dt>{label}</dt>
      {interval ? (
        <Value name={isSpeedup ? 'speedup' : '_seconds'} interval={interval} />
      ) : null}
      <dd className="jp-mod-wide jp-GpuPerf-track" aria-hidden="true">
        <div style={{ width: `${100 * Math.min(1, ratio)}%` }} />
      </dd>
    </div>
  );
}
