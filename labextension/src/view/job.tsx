import * as React from 'react';

import type { JobInfo } from '../api/generated';
import type { Rest } from '../api/rest';
import { isActive } from '../model/jobs';
import { trans } from '../translation';
import { settingsInWords } from './changed';
import { Progress } from './progress';
import { Failure } from './refusal';
import { Result } from './result';
import { said } from './said';

interface IJobProps {
  readonly job: JobInfo;
  /** All jobs: a waiting one names those before it. */
  readonly jobs: readonly JobInfo[];
  readonly rest: Rest;
  readonly isNewest: boolean;
  insertCode(code: string): Promise<void>;
  onCancel(): void;
}

/** One job: its progress while it runs, then its result or what went wrong. */
export function Job(props: IJobProps): JSX.Element {
  const { job, jobs, rest, isNewest, insertCode, onCancel } = props;
  return (
    <article
      className="jp-GpuPerf-job"
      data-job={job.id}
      data-job-state={job.state}
    >
      <header>
        <strong>{job.benchmark}</strong>
        <span className="jp-GpuPerf-note">
          {settingsInWords(job.parameters)}
        </span>
        <span className="jp-GpuPerf-state">{stateInWords(job.state)}</span>
      </header>
      {isActive(job) ? (
        <Progress
          of={job}
          name={job.benchmark}
          words={queueInWords(job, jobs)}
          onCancel={onCancel}
        />
      ) : null}
      {job.result ? (
        <Result
          result={job.result}
          id={job.result_id ?? null}
          rest={rest}
          isNewest={isNewest}
          insertCode={insertCode}
        />
      ) : null}
      <Failure error={job.error} log={job.log_tail} />
    </article>
  );
}

/** What a waiting job waits for; what a running one does. */
function queueInWords(job: JobInfo, jobs: readonly JobInfo[]): string {
  const before = (job.waits_for ?? []).map(
    id => jobs.find(each => each.id === id)?.benchmark ?? '…'
  );
  return before.length > 0
    ? trans.__(
        'Number %1 in the queue, behind %2',
        before.length,
        before.join(', ')
      )
    : said(job.progress_message);
}

export function stateInWords(state: JobInfo['state']): string {
  const words: Record<JobInfo['state'], string> = {
    queued: trans.__('waiting'),
    running: trans.__('running'),
    done: trans.__('done'),
    failed: trans.__('failed'),
    cancelled: trans.__('cancelled')
  };
  return words[state];
}
