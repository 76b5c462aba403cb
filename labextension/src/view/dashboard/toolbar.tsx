import * as React from 'react';

import { DashboardModel, RANGES } from '../../model/dashboard';
import { trans } from '../../translation';
import { MetricPicker } from './picker';

/** The time range, pause, the layout and the metrics. */
export function Toolbar({ model }: { model: DashboardModel }): JSX.Element {
  const several = (model.live.devices?.devices.length ?? 0) > 1;
  const still = model.span !== null;
  return (
    <div
      className="jp-GpuPerf-toolbar"
      role="toolbar"
      aria-label={trans.__('Charts')}
    >
      <div role="group" aria-label={trans.__('Time shown')}>
        {RANGES.map(seconds => (
          <button
            className="jp-mod-styled"
            key={seconds}
            data-range={seconds}
            aria-pressed={!still && seconds === model.rangeSeconds}
            onClick={() => (model.rangeSeconds = seconds)}
          >
            {formatSpan(seconds)}
          </button>
        ))}
      </div>
      <button
        className={`jp-mod-styled${still ? ' jp-mod-accept' : ''}`}
        data-action={still ? 'resume' : 'pause'}
        title={trans.__(
          'Drag over a chart to zoom in, drag with Shift to move, double-click to come back.'
        )}
        onClick={() => (still ? model.resume() : model.pause())}
      >
        {still ? trans.__('Back to now') : trans.__('Pause')}
      </button>
      {several ? (
        <div role="group" aria-label={trans.__('Devices')}>
          {(['overlay', 'columns'] as const).map(layout => (
            <button
              className="jp-mod-styled"
              key={layout}
              data-layout={layout}
              aria-pressed={model.layout === layout}
              onClick={() => (model.layout = layout)}
            >
              {layout === 'overlay'
                ? trans.__('Overlaid')
                : trans.__('Side by side')}
            </button>
          ))}
        </div>
      ) : null}
      <MetricPicker model={model} />
    </div>
  );
}

function formatSpan(seconds: number): string {
  return seconds < 3600
    ? trans.__('%1 min', seconds / 60)
    : trans.__('%1 h', seconds / 3600);
}
