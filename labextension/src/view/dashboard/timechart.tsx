import * as React from 'react';

import type { DashboardModel } from '../../model/dashboard';
import { trans } from '../../translation';
import { topOf } from '../figure';
import { onColours } from '../theme';
import { ITimeChartProps, Plot } from './plot';
import { Table } from './table';
import { Button, Help } from '../elements';

/** By how much an arrow key moves, and plus and minus zoom. */
const PAN_SHARE = 0.25;
const ZOOM_FACTOR = 2;

/** A chart with its heading, and its table on demand. */
export function TimeChart(props: ITimeChartProps): JSX.Element {
  const { model, metric, curves } = props;
  const [showsTable, setShowsTable] = React.useState(false);
  const label = trans.__(metric.label);
  return (
    <section
      className="jp-GpuPerf-timechart"
      data-metric={metric.name}
      aria-label={label}
    >
      <hgroup title={trans.__(metric.help)}>
        <h3>{label}</h3>
        <Help page={`reference/metrics/${metric.name}`} about={label} />
        <Button
          aria-pressed={showsTable}
          aria-label={trans.__('%1 as a table', label)}
          onClick={() => setShowsTable(!showsTable)}
        >
          {trans.__('Table')}
        </Button>
      </hgroup>
      <Curves {...props} label={label} />
      {showsTable ? (
        <Table model={model} metric={metric} curves={curves} />
      ) : null}
    </section>
  );
}

function Curves(props: ITimeChartProps & { label: string }): JSX.Element {
  const { model, metric, curves, label } = props;
  const host = React.useRef<HTMLDivElement>(null);
  // Changes to these require a new plot; new points do not.
  const shape = [
    metric.name,
    model.hasBands,
    ...curves.map(curve => `${curve.key} ${curve.label}`)
  ].join('\n');
  React.useEffect(() => {
    const element = host.current;
    if (element === null) {
      return;
    }
    const [{ key }] = curves;
    const plot = new Plot({
      host: element,
      model,
      metric,
      curves,
      top: () => {
        const { latest } = model.live;
        return topOf(metric, latest?.devices[key] ?? latest?.host ?? {});
      }
    });
    return drawWhileVisible(element, model, plot);
  }, [model, shape]);
  return (
    <div
      className="jp-GpuPerf-plot"
      ref={host}
      role="application"
      tabIndex={0}
      aria-label={trans.__(
        '%1 over time. Arrow keys pan, plus and minus zoom, Home returns to live.',
        label
      )}
      onKeyDown={event => onKey(event, model)}
      onPointerDown={event => drag(event, model)}
    />
  );
}

/** Draw new data while the chart is visible; return a function that stops this. */
function drawWhileVisible(
  element: HTMLElement,
  model: DashboardModel,
  plot: Plot
): () => void {
  let isVisible = true;
  let due = 0;
  const draw = () => {
    // At most once per screen frame, however many ticks came.
    if (isVisible && due === 0) {
      due = requestAnimationFrame(() => {
        due = 0;
        plot.draw();
        element.dataset.drawn = String(Number(element.dataset.drawn ?? 0) + 1);
      });
    }
  };
  const visibility = new IntersectionObserver(entries => {
    isVisible = entries[entries.length - 1].isIntersecting;
    draw();
  });
  const resizer = new ResizeObserver(() => plot.resize(element.clientWidth));
  const forgetColours = onColours(() => plot.repaint());
  visibility.observe(element);
  resizer.observe(element);
  model.drawn.connect(draw);
  return () => {
    model.drawn.disconnect(draw);
    cancelAnimationFrame(due);
    visibility.disconnect();
    resizer.disconnect();
    forgetColours();
    plot.destroy();
  };
}

function onKey(event: React.KeyboardEvent, model: DashboardModel): void {
  const keys: Record<string, () => void> = {
    ArrowLeft: () => model.pan(-PAN_SHARE),
    ArrowRight: () => model.pan(PAN_SHARE),
    '+': () => model.zoom(1 / ZOOM_FACTOR),
    '=': () => model.zoom(1 / ZOOM_FACTOR),
    '-': () => model.zoom(ZOOM_FACTOR),
    Home: () => model.resume(),
    Escape: () => model.resume()
  };
  if (event.key in keys && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    event.stopPropagation(); // JupyterLab has its own shortcuts for these keys
    keys[event.key]();
  }
}

/** Follow a drag: with Shift, it moves in time; otherwise, it zooms. */
function drag(event: React.PointerEvent<HTMLElement>, model: DashboardModel) {
  if (!event.shiftKey || event.button !== 0) {
    return;
  }
  event.preventDefault();
  event.stopPropagation();
  const element = event.currentTarget;
  const { visible } = model;
  const seconds =
    (visible.to - visible.from) / Math.max(1, element.clientWidth);
  const began = event.clientX;
  const move = (now: PointerEvent) => {
    const by = (began - now.clientX) * seconds;
    model.show({ from: visible.from + by, to: visible.to + by });
  };
  const listeners = new AbortController();
  element.setPointerCapture(event.pointerId);
  element.addEventListener('pointermove', move, listeners);
  for (const end of ['pointerup', 'pointercancel']) {
    element.addEventListener(end, () => listeners.abort(), listeners);
  }
}
