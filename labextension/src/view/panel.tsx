import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import * as React from 'react';

import { chipIcon } from '../icon';
import { BenchmarksSection } from './benchmarks';
import type { IPanelContext } from './context';
import { DevicesSection } from './devices';
import { connectionInWords } from './words';

/** The sidebar panel. Streams only while it is shown. */
export class GpuPanel extends ReactWidget {
  constructor(private readonly context: IPanelContext) {
    super();
    this.id = 'jp-gpuperf-panel';
    this.title.icon = chipIcon;
    this.title.caption = context.trans.__('GPU performance');
    this.addClass('jp-GpuPerf-panel');
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.watch(true);
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.watch(this.isVisible);
  }

  protected onBeforeHide(message: Message): void {
    super.onBeforeHide(message);
    this.watch(false);
  }

  protected onBeforeDetach(message: Message): void {
    super.onBeforeDetach(message);
    this.watch(false);
  }

  protected render(): JSX.Element {
    const { live, jobs, kernelspecs } = this.context;
    return (
      <div className="jp-GpuPerf-content" tabIndex={-1}>
        <UseSignal signal={live.changed}>
          {() => (
            <>
              <Status {...this.context} />
              <DevicesSection {...this.context} />
            </>
          )}
        </UseSignal>
        <UseSignal signal={kernelspecs.specsChanged}>
          {() => (
            <UseSignal signal={jobs.changed}>
              {() => <BenchmarksSection {...this.context} />}
            </UseSignal>
          )}
        </UseSignal>
      </div>
    );
  }

  private watch(watching: boolean): void {
    this.context.live.watch(this, watching);
    this.context.jobs.watch(watching);
  }
}

/** Where the readings come from, when there is something to say about it. */
function Status({ live, trans }: IPanelContext): JSX.Element {
  const trouble = connectionInWords(trans, live.connection);
  return (
    <div
      className="jp-GpuPerf-status"
      data-connection={live.connection}
      role="status"
    >
      {live.version?.source === 'replay' ? (
        <span className="jp-GpuPerf-badge">
          {trans.__('Replaying a recording')}
        </span>
      ) : null}
      {trouble ? <span className="jp-GpuPerf-trouble">{trouble}</span> : null}
      {live.problem ? (
        <span className="jp-GpuPerf-problem">{live.problem}</span>
      ) : null}
    </div>
  );
}
