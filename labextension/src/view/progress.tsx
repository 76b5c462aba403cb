import * as React from 'react';

import type { JobInfo, SuiteInfo } from '../api/generated';
import { trans } from '../translation';
import { ErrorDetails } from './errors';
import { Button } from './elements';

interface IRunProps extends React.HTMLAttributes<HTMLElement> {
  readonly run: JobInfo | SuiteInfo;
  /** What distinguishes the run from others: its settings, or the environments of a suite. */
  readonly details: string;
  readonly log?: string;
}

/** A job or a suite: its state, and its results (`children`) or its error. */
export function Run(props: IRunProps): JSX.Element {
  const { run, details, log, children, ...attributes } = props;
  return (
    <article
      id={`gpuperf-${run.id}`}
      className="jp-GpuPerf-job"
      data-job-state={run.state}
      tabIndex={-1}
      {...attributes}
    >
      <hgroup>
        <strong>{nameOf(run)}</strong>
        <span className="jp-GpuPerf-note">{details}</span>
        <span className="jp-GpuPerf-state">{formatJobState(run.state)}</span>
      </hgroup>
      <ErrorDetails error={run.error ?? null} log={log} />
      {children}
    </article>
  );
}

/** The name of a run, for people. */
export function nameOf(run: JobInfo | SuiteInfo): string {
  return 'sides' in run ? trans.__('Suite') : run.benchmark;
}

interface IProgressProps {
  readonly run: JobInfo | SuiteInfo;
  /** What the run is doing now, or what it is waiting for. */
  readonly status: string;
  onCancel(): void;
}

/** The progress, the remaining time if it can be estimated, and the cancel button. */
export function Progress(props: IProgressProps): JSX.Element {
  const { run, status, onCancel } = props;
  const left = run.remaining_seconds ?? null;
  const name = nameOf(run);
  return (
    <div className="jp-GpuPerf-progress">
      <strong>{name}</strong>
      <progress
        max={1}
        value={run.state === 'queued' ? undefined : run.progress_ratio}
        aria-label={trans.__('Progress of %1', name)}
      />
      <Button aria-label={trans.__('Cancel %1', name)} onClick={onCancel}>
        {trans.__('Cancel')}
      </Button>
      <div className="jp-GpuPerf-note">
        <span aria-live="polite">{status}</span>
        {/* Outside the live region, or a screen reader would read every change of the countdown. */}
        <span className="jp-GpuPerf-left">
          {left === null ? '' : trans.__('up to %1 left', formatSpan(left))}
        </span>
      </div>
    </div>
  );
}

/** A remaining time, no more precise than an estimate is: `8 s`, `2 min`, `1 h 20 min`. */
export function formatSpan(seconds: number): string {
  if (seconds < 90) {
    return `${Math.max(1, Math.ceil(seconds))} s`;
  }
  const minutes = Math.round(seconds / 60);
  return minutes < 90
    ? `${minutes} min`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function formatJobState(state: JobInfo['state']): string {
  const labels: Record<JobInfo['state'], string> = {
    queued: trans.__('queued'),
    running: trans.__('running'),
    done: trans.__('done'),
    failed: trans.__('failed'),
    cancelled: trans.__('cancelled')
  };
  return labels[state];
}
