import uPlot from 'uplot';

import type { MetricInfo } from '../../api/generated';
import { formatQuantity } from '../../format';
import type { DashboardModel } from '../../model/dashboard';
import { HIGH_CONTRAST } from '../theme';
import { Axes } from './axes';
import { simplifiedPaths } from './curve';
import { cellsOf, drawMarks } from './marks';
import { timesOf } from './times';

/** A curve: its device, and its name in the legend. */
export interface ICurve {
  /** The device's UUID, or `HOST`. */
  readonly key: string;
  readonly label: string;
  /** The device's index, which determines the curve's style in every chart. */
  readonly index: number;
}

/** Distinguishable with colour vision deficiencies, on light and dark backgrounds. */
const COLOURS = [
  '#3b8fd6',
  '#d9730d',
  '#0f9d74',
  '#c46aa5',
  '#b88a00',
  '#5fb4c9',
  '#8f78d6',
  '#c0504d'
];
/** Dash patterns, so that curves never differ by colour alone. */
const DASHES = [[], [7, 3], [2, 2], [9, 3, 2, 3]];
/** With more bands than these, they would hide each other. */
const MOST_BANDS = 2;
/** The key by which all charts of a page share one cursor. */
const SYNC_KEY = 'jupyter_gpuperf';
const LEGEND_MS = 500;
const HEIGHT = 150;
const AXIS_WIDTH = 76;
const AXIS_HEIGHT = 26;

/** The content of one chart. */
export interface ITimeChartProps {
  readonly model: DashboardModel;
  readonly metric: MetricInfo;
  readonly curves: readonly ICurve[];
}

interface IPlotOptions extends ITimeChartProps {
  readonly host: HTMLElement;
  /** Top of the scale, if it is known. */
  top(): number | null;
}

/** The curves of one metric on the shared time axis. */
export class Plot {
  private readonly plot: uPlot;
  private readonly banded: boolean;
  private ink = '';
  private grid = '';
  private legendAt = -Infinity;

  constructor(private readonly options: IPlotOptions) {
    const { host, model, curves } = options;
    this.banded = model.hasBands && curves.length <= MOST_BANDS;
    this.takeColours();
    this.plot = new uPlot(this.settings(), this.data(), host);
    this.draw();
  }

  /** Draw the latest data of the timeline. */
  draw(): void {
    const { plot } = this;
    plot.setData(this.data());
    // Without a pointer over the chart, the legend shows the latest values, at a readable rate.
    const hovered = (plot.cursor.left ?? -1) >= 0;
    const now = performance.now();
    if (!hovered && now - this.legendAt >= LEGEND_MS) {
      this.legendAt = now;
      plot.setLegend({ idx: Math.max(0, plot.data[0].length - 1) });
    }
  }

  resize(width: number): void {
    this.plot.setSize({ width: Math.max(160, width), height: HEIGHT });
  }

  /** Apply the theme's colours again. */
  repaint(): void {
    this.takeColours();
    this.plot.redraw(false, true);
  }

  private takeColours(): void {
    const theme = getComputedStyle(this.options.host);
    // The theme's colours fit its own background, which high contrast mode replaces.
    const themed = (name: string, forced: string) =>
      HIGH_CONTRAST.matches ? forced : theme.getPropertyValue(name).trim();
    this.ink = themed('--jp-ui-font-color2', 'CanvasText');
    this.grid = themed('--jp-border-color2', '#80808080');
  }

  destroy(): void {
    this.plot.destroy();
  }

  /** The times, then the mean of each curve, followed by its minimum and maximum if these are drawn. */
  private data(): uPlot.AlignedData {
    const { model, metric, curves } = this.options;
    const tracks = curves.map(({ key }): uPlot.AlignedData => {
      const track = model.timeline.track(key);
      const { min, mean, max } = track.metric(metric.name);
      return [track.times, ...(this.banded ? [mean, max, min] : [mean])];
    });
    const [[times]] = tracks;
    // All devices are read in one tick, but a device that came or went later has readings at other
    // times.
    return tracks.every(([each]) => each.length === times.length)
      ? [times, ...tracks.flatMap(([, ...values]) => values)]
      : uPlot.join(tracks);
  }

  private settings(): uPlot.Options {
    const { host, model, metric } = this.options;
    const axes = new Axes(
      () => this.ink,
      () => this.grid
    );
    const format = (value: number | null) => formatValue(value, metric.unit);
    return {
      width: Math.max(160, host.clientWidth),
      height: HEIGHT,
      padding: [6, 26, 0, 0],
      cursor: {
        sync: { key: SYNC_KEY },
        drag: { x: true, y: false, setScale: false },
        points: { size: 5 },
        bind: {
          dblclick: () => () => {
            model.resume();
            return null;
          }
        }
      },
      hooks: {
        drawAxes: [plot => axes.draw(plot)],
        draw: [plot => drawMarks(plot, cellsOf(model.live.training), this.ink)],
        setSelect: [
          plot => {
            const { left, width } = plot.select;
            if (width > 3) {
              model.show({
                from: plot.posToVal(left, 'x'),
                to: plot.posToVal(left + width, 'x')
              });
            }
            plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
          }
        ]
      },
      scales: {
        x: {
          time: true,
          range: () => [model.visible.from, model.visible.to]
        },
        y: {
          range: (_plot, _low, high) => [
            0,
            this.options.top() ?? (high > 0 ? high * 1.1 : 1)
          ]
        }
      },
      axes: [
        {
          ...axes.options('x', timesOf),
          size: AXIS_HEIGHT,
          space: 74
        },
        {
          ...axes.options('y', splits => splits.map(format)),
          size: AXIS_WIDTH,
          space: 28,
          ...(metric.unit === 'bytes' ? { incrs: BINARY_STEPS } : {})
        }
      ],
      series: [{}, ...this.series(format)],
      bands: this.banded
        ? this.options.curves.map((curve, i) => ({
            series: [3 * i + 2, 3 * i + 3] as [number, number],
            fill: `${colourOf(curve.index)}30`
          }))
        : []
    };
  }

  private series(format: (value: number | null) => string): uPlot.Series[] {
    return this.options.curves.flatMap(curve => {
      const line: uPlot.Series = {
        label: curve.label,
        stroke: colourOf(curve.index),
        dash: DASHES[curve.index % DASHES.length],
        width: 1, // without GPU rendering, a thin line takes half as long as a thicker one
        points: { show: false },
        // A band is filled between the paths of its edges, which must be uPlot's own.
        ...(this.banded ? {} : { paths: simplifiedPaths }),
        value: (_plot, value) => format(value)
      };
      // The edges of the band are not curves, and have no line in the legend.
      const edge: uPlot.Series = {
        ...line,
        width: 0,
        stroke: 'transparent',
        class: 'jp-mod-edge'
      };
      return this.banded ? [line, edge, edge] : [line];
    });
  }
}

/** Tick steps of a memory axis: round numbers in MiB and GiB, like the figures. */
const BINARY_STEPS = [20, 30, 40].flatMap(power =>
  [1, 2, 5, 10, 20, 50, 100, 200, 500].map(step => step * 2 ** power)
);

export function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length];
}

export function formatValue(value: number | null, unit: string): string {
  return typeof value === 'number' ? formatQuantity(value, unit) : '–';
}
