import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { BenchmarkResult, JobInfo } from '../api/generated';
import { formatInterval, labelOf, rowLabelOf, wordsOf } from '../format';
import { isActive } from '../model/jobs';
import { said } from './said';

interface IJobProps {
  readonly job: JobInfo;
  readonly trans: TranslationBundle;
  onCancel(): void;
}

/** One job: its progress while it runs, then its result or what went wrong. */
export function Job({ job, trans, onCancel }: IJobProps): JSX.Element {
  return (
    <article
      className="jp-GpuPerf-job"
      data-job={job.id}
      data-job-state={job.state}
    >
      <header>
        <strong>{job.benchmark}</strong>
        <span className="jp-GpuPerf-note">{parametersInWords(job, trans)}</span>
        <span className="jp-GpuPerf-state">{stateInWords(job, trans)}</span>
      </header>
      {isActive(job) ? (
        <Progress job={job} trans={trans} onCancel={onCancel} />
      ) : null}
      {job.result ? <Result result={job.result} trans={trans} /> : null}
      {job.error ? <Failure job={job} trans={trans} /> : null}
    </article>
  );
}

function Progress({ job, trans, onCancel }: IJobProps): JSX.Element {
  return (
    <div className="jp-GpuPerf-progress">
      <progress
        max={1}
        value={job.state === 'queued' ? undefined : job.progress_ratio}
        aria-label={trans.__('Progress of %1', job.benchmark)}
      />
      <button className="jp-mod-styled" onClick={onCancel}>
        {trans.__('Cancel')}
      </button>
      <span className="jp-GpuPerf-note" aria-live="polite">
        {said(trans, job.progress_message)}
      </span>
    </div>
  );
}

function Result(props: {
  result: BenchmarkResult;
  trans: TranslationBundle;
}): JSX.Element {
  const { result, trans } = props;
  return (
    <>
      <dl className="jp-GpuPerf-result">
        {Object.entries(result.figures).map(([name, interval]) => {
          const figure = formatInterval(name, interval);
          const count = result.samples[name]?.length;
          return (
            <div key={name} data-figure={name}>
              <dt>{labelOf(name, words => trans.__(words))}</dt>
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
            </div>
          );
        })}
      </dl>
      {result.warnings.map(warning => (
        <p className="jp-GpuPerf-warning" key={warning}>
          {said(trans, warning)}
        </p>
      ))}
      <details className="jp-GpuPerf-all">
        <summary>{trans.__('Measured on')}</summary>
        <table>
          <tbody>
            {Object.entries(result.environment).map(([name, value]) => (
              <tr key={name}>
                <th scope="row">
                  {rowLabelOf(name, words => trans.__(words))}
                </th>
                <td>{value === null ? '–' : String(value)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </>
  );
}

function Failure({
  job,
  trans
}: Pick<IJobProps, 'job' | 'trans'>): JSX.Element {
  return (
    <div className="jp-GpuPerf-failure" data-error={job.error?.code}>
      <p>{said(trans, job.error?.message ?? '')}</p>
      {job.error?.hint ? (
        <p className="jp-GpuPerf-note">{said(trans, job.error.hint)}</p>
      ) : null}
      {job.log_tail.trim() ? (
        <details className="jp-GpuPerf-all">
          <summary>{trans.__('End of the log')}</summary>
          <pre>{job.log_tail}</pre>
        </details>
      ) : null}
    </div>
  );
}

function parametersInWords(job: JobInfo, trans: TranslationBundle): string {
  return Object.entries(job.parameters)
    .filter(
      ([name, value]) =>
        !['rigorous', 'time_limit_seconds'].includes(name) && value !== false
    )
    .map(([name, value]) => {
      const words = trans.__(wordsOf(name));
      return value === true ? words : `${words} ${value}`;
    })
    .join(', ');
}

function stateInWords(job: JobInfo, trans: TranslationBundle): string {
  const words: Record<JobInfo['state'], string> = {
    queued: trans.__('waiting'),
    running: trans.__('running'),
    done: trans.__('done'),
    failed: trans.__('failed'),
    cancelled: trans.__('cancelled')
  };
  return words[job.state];
}
