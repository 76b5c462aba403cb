import { UseSignal } from '@jupyterlab/ui-components';
import type { ISignal } from '@lumino/signaling';
import * as React from 'react';

import { chipIcon } from '../icon';
import { trans } from '../translation';
import { BenchmarksSection } from './benchmarks';
import { IPanelContext, PanelContext, usePanel } from './context';
import { DevicesSection } from './devices';
import { EnvironmentSection } from './environment';
import { FindingsSection } from './findings';
import { Guard } from './guard';
import { Introduction } from './introduction';
import { ProcessesSection } from './processes';
import { RecordingsSection } from './recordings';
import { formatError } from './errors';
import { ReplayBadge } from './replay';
import { Running } from './running';
import { VisibilityWidget } from './visibilityWidget';
import { TrainingSection } from './training';
import { formatConnection } from './messages';
import { SHORTCUT } from '../tokens';

/** The sidebar panel. It streams and draws only while it is visible. */
export class GpuPanel extends VisibilityWidget {
  constructor(private readonly context: IPanelContext) {
    super();
    this.id = 'jp-gpuperf-panel';
    this.title.icon = chipIcon;
    this.title.caption = `${trans.__('GPU performance')} (${SHORTCUT})`;
    this.addClass('jp-GpuPerf-panel');
    this.node.tabIndex = -1;
  }

  protected render(): JSX.Element {
    const { context } = this;
    const { live, jobs, processes, training, recordings, doctor } = context;
    const parts = [
      [live.changedThrottled, Head],
      [live.changedThrottled, FindingsSection],
      [live.changedThrottled, DevicesSection],
      [training.changed, TrainingSection],
      [processes.changed, ProcessesSection],
      [doctor.changed, EnvironmentSection],
      [jobs.changed, BenchmarksSection],
      [recordings.changed, RecordingsSection],
      [jobs.changed, Running]
    ] as const;
    return (
      <PanelContext.Provider value={context}>
        <div className="jp-GpuPerf-content" tabIndex={-1}>
          <UseSignal signal={context.kernelspecs.specsChanged}>
            {() =>
              parts.map(([signal, Part], i) => (
                <UseSignal
                  key={i}
                  signal={signal as ISignal<unknown, void>}
                  shouldUpdate={() => this.isVisible}
                >
                  {() => (
                    <Guard>
                      <Part />
                    </Guard>
                  )}
                </UseSignal>
              ))
            }
          </UseSignal>
        </div>
      </PanelContext.Provider>
    );
  }

  /** The keyboard goes on in the panel that it has opened. */
  protected onActivateRequest(): void {
    this.node.focus();
  }

  protected onVisibility(visible: boolean): void {
    const { live, jobs, processes, training, recordings, doctor } =
      this.context;
    live.watch(this, visible);
    for (const model of [jobs, processes, training, recordings, doctor]) {
      model.watch(visible);
    }
  }
}

/** The source of the readings and the connection, if they are worth mentioning. */
function Head(): JSX.Element {
  const { live, openDashboard } = usePanel();
  const connection = formatConnection(live);
  return (
    <>
      <div
        className="jp-GpuPerf-status"
        data-connection={live.connection}
        data-stale={live.stale}
        role="status"
      >
        <button
          className="jp-mod-styled jp-GpuPerf-toDashboard"
          title={trans.__('Charts of all readings, up to 24 hours back')}
          onClick={openDashboard}
        >
          {trans.__('Dashboard')}
        </button>
        <ReplayBadge live={live} />
        {connection ? (
          <span className="jp-GpuPerf-trouble">{connection}</span>
        ) : null}
        {live.error ? (
          <span className="jp-GpuPerf-problem">{formatError(live.error)}</span>
        ) : null}
      </div>
      <Introduction />
    </>
  );
}
