import * as React from 'react';
import uPlot from 'uplot';

import { usePanel } from './context';

interface IChartProps {
  readonly uuid: string;
  readonly metric: string;
  /** Top of the scale; null when it is not known, then it follows the data. */
  readonly maximum: number | null;
  readonly label: string;
  readonly height: number;
}

const SHOWN_SECONDS = 60;

/**
 * The last minute of one metric as a small curve. Drawn imperatively: React does not see points. A minute on so few
 * pixels moves by one or two a second, so it is drawn when the figures change, not ten times a second.
 */
export function Chart(props: IChartProps): JSX.Element {
  const { uuid, metric, maximum, label, height } = props;
  const { live } = usePanel();
  const host = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => {
    const element = host.current;
    if (element === null) {
      return;
    }
    const plot = new uPlot(
      optionsOf(element, maximum, height),
      [[], []],
      element
    );
    let width = element.clientWidth;
    const draw = () => {
      if (width === 0) {
        return; // hidden: nobody sees it, and the status bar may go on streaming
      }
      const track = live.tracks.of(uuid);
      plot.setData([track.times, track.of(metric).mean]);
    };
    const resizer = new ResizeObserver(() => {
      width = element.clientWidth;
      plot.setSize({ width: Math.max(20, width), height });
      draw();
    });
    // Colours come from the theme: draw again when it changes.
    const themes = new MutationObserver(() => plot.redraw());
    themes.observe(document.body, {
      attributes: true,
      attributeFilter: ['data-jp-theme-name']
    });
    resizer.observe(element);
    live.changedCalmly.connect(draw);
    draw();
    return () => {
      live.changedCalmly.disconnect(draw);
      resizer.disconnect();
      themes.disconnect();
      plot.destroy();
    };
  }, [live, uuid, metric, maximum, height]);
  return (
    <div
      className="jp-GpuPerf-chart"
      ref={host}
      role="img"
      aria-label={label}
      style={{ height }}
    />
  );
}

function optionsOf(
  element: HTMLElement,
  maximum: number | null,
  height: number
): uPlot.Options {
  const colour = (name: string) => () =>
    getComputedStyle(element).getPropertyValue(name).trim();
  return {
    width: Math.max(20, element.clientWidth),
    height,
    padding: [2, 0, 1, 0],
    legend: { show: false },
    cursor: { show: false },
    axes: [{ show: false }, { show: false }],
    scales: {
      x: {
        time: true,
        range: (_plot, _low, high) => [high - SHOWN_SECONDS, high]
      },
      y: {
        range: (_plot, _low, high) => [0, maximum ?? Math.max(1, high * 1.1)]
      }
    },
    series: [
      {},
      {
        stroke: colour('--jp-brand-color1'),
        fill: plot => faint(plot.ctx, colour('--jp-brand-color1')()),
        width: 1.25,
        points: { show: false }
      }
    ]
  };
}

/** A colour of the theme, hardly there: its own pale ones are not pale on dark ground. */
function faint(context: CanvasRenderingContext2D, colour: string): string {
  context.save();
  context.fillStyle = colour;
  const solid = String(context.fillStyle); // `#rrggbb`, unless it is translucent already
  context.restore();
  return solid.startsWith('#') ? `${solid}2e` : 'transparent';
}
