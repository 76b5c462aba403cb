import { UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import { chipIcon } from '../icon';
import { trans } from '../translation';
import { Alerts } from './alerts';
import { BenchmarksSection } from './benchmarks';
import type { IPanelContext } from './context';
import { DevicesSection } from './devices';
import { EnvironmentSection } from './environment';
import { FindingsSection } from './findings';
import { ProcessesSection } from './processes';
import { RecordingsSection } from './recordings';
import { said } from './said';
import { SeenWidget } from './seen';
import { TrainingSection } from './training';
import { connectionInWords } from './words';

/** The sidebar panel. Streams and draws only while it is seen. */
export class GpuPanel extends SeenWidget {
  constructor(private readonly context: IPanelContext) {
    super();
    this.id = 'jp-gpuperf-panel';
    this.title.icon = chipIcon;
    this.title.caption = trans.__('GPU performance');
    this.addClass('jp-GpuPerf-panel');
  }

  protected render(): JSX.Element {
    const { live, jobs, processes, training, kernelspecs } = this.context;
    return (
      <div className="jp-GpuPerf-content" tabIndex={-1}>
        <UseSignal
          signal={live.changedCalmly}
          shouldUpdate={() => this.isVisible}
        >
          {() => (
            <>
              <Status {...this.context} />
              <Alerts {...this.context} />
              <FindingsSection {...this.context} />
              <DevicesSection {...this.context} />
            </>
          )}
        </UseSignal>
        <UseSignal signal={training.changed}>
          {() => <TrainingSection {...this.context} />}
        </UseSignal>
        <UseSignal signal={processes.changed}>
          {() => <ProcessesSection {...this.context} />}
        </UseSignal>
        <UseSignal signal={kernelspecs.specsChanged}>
          {() => (
            <UseSignal signal={jobs.changed}>
              {() => <BenchmarksSection {...this.context} />}
            </UseSignal>
          )}
        </UseSignal>
        <RecordingsSection {...this.context} />
        <UseSignal signal={kernelspecs.specsChanged}>
          {() => <EnvironmentSection {...this.context} />}
        </UseSignal>
      </div>
    );
  }

  protected onSeen(seen: boolean): void {
    this.context.live.watch(this, seen);
    this.context.jobs.watch(seen);
    this.context.processes.watch(seen);
    this.context.recordings.watch(seen);
    this.context.doctor.watch(seen);
    this.context.training.watch(seen);
  }
}

/** Where the readings come from, when there is something to say about it. */
function Status({ live, openDashboard }: IPanelContext): JSX.Element {
  const trouble = connectionInWords(live);
  return (
    <div
      className="jp-GpuPerf-status"
      data-connection={live.connection}
      data-stale={live.stale}
      role="status"
    >
      <button
        className="jp-mod-styled jp-GpuPerf-toDashboard"
        title={trans.__('Charts of all readings, up to a day back')}
        onClick={openDashboard}
      >
        {trans.__('Dashboard')}
      </button>
      {live.version?.source === 'replay' ? (
        <span className="jp-GpuPerf-badge">
          {trans.__('Replaying a recording')}
        </span>
      ) : null}
      {trouble ? <span className="jp-GpuPerf-trouble">{trouble}</span> : null}
      {live.problem ? (
        <span className="jp-GpuPerf-problem">
          {live.problem
            .split('\n')
            .map(each => said(each))
            .join(' ')}
        </span>
      ) : null}
    </div>
  );
}
