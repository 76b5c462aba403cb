import type { JobInfo } from '../api/generated';
import { trans } from '../translation';
import { formatSettings } from './changed';
import { Run } from './progress';
import { Result } from './result';
import { translate } from './translate';

interface IJobProps {
  readonly job: JobInfo;
  readonly isNewest: boolean;
}

/** One job: its state, and its result or its error. */
export function Job({ job, isNewest }: IJobProps): JSX.Element {
  return (
    <Run
      data-job={job.id}
      run={job}
      details={formatSettings(job.parameters)}
      log={job.log_tail}
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
export function formatQueue(job: JobInfo, jobs: readonly JobInfo[]): string {
  const before = (job.waits_for ?? []).map(
    id => jobs.find(each => each.id === id)?.benchmark ?? '…'
  );
  return before.length > 0
    ? trans.__('Queue position %1, after %2', before.length, before.join(', '))
    : translate(job, 'progress_message');
}
