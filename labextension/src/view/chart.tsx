import * as React from 'react';

import { usePanel } from './context';
import { onColours } from './theme';

interface IChartProps {
  readonly uuid: string;
  readonly metric: string;
  /** Top of the scale; null if it is not known. Then the scale follows the data. */
  readonly maximum: number | null;
  readonly label: string;
  readonly height: number;
}

const SHOWN_SECONDS = 60;

/**
 * The last minute of one metric as a small curve. It is drawn imperatively: React does not see the
 * points. Such a small curve moves by only one or two pixels per second. It is therefore drawn when
 * the figures change, not ten times a second.
 */
export function Chart(props: IChartProps): JSX.Element {
  const { uuid, metric, maximum, label, height } = props;
  const { live } = usePanel();
  const host = React.useRef<HTMLCanvasElement>(null);
  React.useEffect(() => {
    const canvas = host.current;
    if (canvas === null) {
      return;
    }
    const draw = () => {
      // Skip hidden charts: the status bar may keep the stream running.
      if (canvas.clientWidth > 0) {
        const track = live.timeline.track(uuid);
        paint(canvas, track.times, track.metric(metric).mean, maximum);
      }
    };
    const resizer = new ResizeObserver(draw);
    const forgetColours = onColours(draw);
    resizer.observe(canvas);
    live.changedThrottled.connect(draw);
    return () => {
      live.changedThrottled.disconnect(draw);
      resizer.disconnect();
      forgetColours();
    };
  }, [live, uuid, metric, maximum]);
  return (
    <div className="jp-GpuPerf-chart" role="img" aria-label={label}>
      <canvas ref={host} style={{ height }} />
    </div>
  );
}

/** Draw a line and the area below it; a missing value leaves a gap. */
function paint(
  canvas: HTMLCanvasElement,
  times: readonly number[],
  values: readonly (number | null)[],
  maximum: number | null
): void {
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = width * devicePixelRatio; // this also clears it
  canvas.height = height * devicePixelRatio;
  const oldest = times[times.length - 1] - SHOWN_SECONDS;
  const shown = values.filter((_, i) => times[i] >= oldest).map(Number);
  const top = maximum ?? Math.max(1, 1.1 * Math.max(...shown));
  const line = new Path2D();
  const area = new Path2D();
  values.forEach((value, i) => {
    if (value === null) {
      return;
    }
    const x = (width * (times[i] - oldest)) / SHOWN_SECONDS;
    const y = 2 + (height - 3) * (1 - value / top);
    if (typeof values[i - 1] === 'number') {
      line.lineTo(x, y);
    } else {
      line.moveTo(x, y);
      area.moveTo(x, height);
    }
    area.lineTo(x, y);
    if (typeof values[i + 1] !== 'number') {
      area.lineTo(x, height);
    }
  });
  const context = canvas.getContext('2d')!;
  context.scale(devicePixelRatio, devicePixelRatio);
  context.strokeStyle = context.fillStyle = getComputedStyle(canvas).color;
  context.lineWidth = 1.25;
  context.stroke(line);
  context.globalAlpha = 0.18;
  context.fill(area);
}
