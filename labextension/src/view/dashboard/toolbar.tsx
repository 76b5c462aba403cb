import { DashboardModel, RANGES } from '../../model/dashboard';
import { trans } from '../../translation';
import { MetricPicker } from './picker';
import { Button, Note } from '../elements';
import { ReplayBadge } from '../replay';

/** The time range, pause, the layout and the metrics. */
export function Toolbar({ model }: { model: DashboardModel }): JSX.Element {
  const several = model.live.deviceList.length > 1;
  const isPaused = model.span !== null;
  return (
    <div
      className="jp-GpuPerf-toolbar"
      role="toolbar"
      aria-label={trans.__('Charts')}
    >
      <div role="group" aria-label={trans.__('Time range')}>
        {RANGES.map(seconds => (
          <Button
            key={seconds}
            data-range={seconds}
            aria-pressed={!isPaused && seconds === model.rangeSeconds}
            onClick={() => (model.rangeSeconds = seconds)}
          >
            {formatRange(seconds)}
          </Button>
        ))}
      </div>
      <button
        className={`jp-mod-styled${isPaused ? ' jp-mod-accept' : ''}`}
        data-action={isPaused ? 'resume' : 'pause'}
        onClick={() => (isPaused ? model.resume() : model.pause())}
      >
        {isPaused ? trans.__('Back to live') : trans.__('Pause')}
      </button>
      {several ? (
        <div role="group" aria-label={trans.__('Device layout')}>
          {(['overlay', 'columns'] as const).map(layout => (
            <Button
              key={layout}
              data-layout={layout}
              aria-pressed={model.layout === layout}
              onClick={() => (model.layout = layout)}
            >
              {layout === 'overlay'
                ? trans.__('Overlay')
                : trans.__('Side by side')}
            </Button>
          ))}
        </div>
      ) : null}
      <MetricPicker model={model} />
      <ReplayBadge live={model.live} />
      <Note>
        {trans.__(
          'Drag: zoom, Shift+drag: pan, double-click: live. Keys: ← → + − Home'
        )}
      </Note>
    </div>
  );
}

function formatRange(seconds: number): string {
  return seconds < 3600
    ? trans.__('%1 min', seconds / 60)
    : trans.__('%1 h', seconds / 3600);
}
