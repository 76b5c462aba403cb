import type { JobInfo, SuiteInfo } from '../api/generated';
import { isActive } from '../model/jobs';
import { trans } from '../translation';
import { usePanel } from './context';
import { Button } from './elements';
import { formatQueue } from './job';
import { formatJobState, nameOf, Progress } from './progress';
import { translate } from './translate';

/** What runs now, at the panel's lower edge: in sight, wherever the panel is scrolled. */
export function Running(): JSX.Element {
  const { jobs } = usePanel();
  const shown = jobs.runs.filter(
    each =>
      (isActive(each) || each.id === jobs.own) && each.state !== 'cancelled'
  );
  return (
    <div className="jp-GpuPerf-running">
      {shown.map(run =>
        isActive(run) ? (
          <Active key={run.id} run={run} />
        ) : (
          <Ended key={run.id} run={run} />
        )
      )}
    </div>
  );
}

interface IRunProps {
  readonly run: JobInfo | SuiteInfo;
}

function Active({ run }: IRunProps): JSX.Element {
  const { jobs } = usePanel();
  const isSuite = 'sides' in run;
  return (
    <div data-running={run.id}>
      <Progress
        run={run}
        status={
          isSuite
            ? translate(run, 'progress_message')
            : formatQueue(run, jobs.jobs)
        }
        onCancel={() =>
          void (isSuite ? jobs.cancelSuite(run.id) : jobs.cancel(run.id))
        }
      />
    </div>
  );
}

/** A run that was started here and has ended: its result may be out of sight. */
function Ended({ run }: IRunProps): JSX.Element {
  const { jobs } = usePanel();
  const show = () => {
    const result = document.getElementById(`gpuperf-${run.id}`);
    result?.closest('details')?.setAttribute('open', '');
    result?.scrollIntoView();
    result?.focus({ preventScroll: true });
    jobs.looked();
  };
  return (
    <div className="jp-GpuPerf-ended" data-ended={run.state}>
      <span role="status">
        {trans.__('%1: %2', nameOf(run), formatJobState(run.state))}
      </span>
      <Button onClick={show}>{trans.__('Show')}</Button>
    </div>
  );
}
