import * as React from 'react';

import type { JobInfo } from '../api/generated';
import { trans } from '../translation';
import { formatSettings } from './changed';
import { usePanel } from './context';
import { Run } from './progress';
import { Result } from './result';
import { translate } from './translate';

interface IJobProps {
  readonly job: JobInfo;
  readonly isNewest: boolean;
}

/** One job: its progress while it runs, then its result or its error. */
export function Job({ job, isNewest }: IJobProps): JSX.Element {
  const { jobs } = usePanel();
  return (
    <Run
      data-job={job.id}
      run={job}
      name={job.benchmark}
      details={formatSettings(job.parameters)}
      status={formatQueue(job, jobs.jobs)}
      log={job.log_tail}
      onCancel={() => void jobs.cancel(job.id)}
    >
      {job.result ? (
        <Result
          result={job.result}
          id={job.result_id ?? null}
          isNewest={isNewest}
        />
      ) : null}
    </Run>
  );
}

/** What a queued job waits for, or what a running one does. */
function formatQueue(job: JobInfo, jobs: readonly JobInfo[]): string {
  const before = (job.waits_for ?? []).map(
    id => jobs.find(each => each.id === id)?.benchmark ?? '…'
  );
  return before.length > 0
    ? trans.__('Queue position %1, after %2', before.length, before.join(', '))
    : translate(job, 'progress_message');
}
