import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { IStateDB } from '@jupyterlab/statedb';
import { Signal } from '@lumino/signaling';

import type { Frame, MetricInfo } from '../api/generated';
import { attempt, RequestError, Rest } from '../api/rest';
import { NAMESPACE } from '../translation';
import type { LiveModel } from './live';
import { Timeline } from './timeline';

const STATE_KEY = `${NAMESPACE}:dashboard`;

/** The selectable time ranges, in seconds. */
export const RANGES = [60, 120, 600, 7200, 86400] as const;
const LONGEST_SECONDS = RANGES[RANGES.length - 1];
/** Number of points of a curve: about one per pixel. */
const STEPS = 600;
const SHORTEST_STEP_SECONDS = 0.1;
/** The server refuses requests for more steps. */
const MOST_STEPS = 9000;
/** Don't ask the server while the user is still dragging or pressing keys. */
const SETTLED_MS = 250;
/** From this step length on, minimum and maximum are drawn, too. */
const BAND_STEP_SECONDS = 1;

/** The metrics of a new dashboard, if the devices have them. */
const FIRST_METRICS = [
  'utilization_percent',
  'sm_active_percent',
  'tensor_active_percent',
  'memory_used_bytes',
  'power_watts',
  'temperature_celsius',
  'clock_sm_mhz',
  'pcie_receive_bytes_per_second',
  'nvlink_receive_bytes_per_second',
  'host_cpu_percent'
];

export type Layout = 'overlay' | 'columns';

/** A fixed time span. */
export interface ISpan {
  readonly from: number;
  readonly to: number;
}

/**
 * The state of the dashboard: the metrics, the time span, and the history. On `drawn`, the
 * charts draw their data imperatively; `changed` is for what React shows.
 */
export class DashboardModel {
  readonly drawn = new Signal<this, void>(this);
  readonly changed = new Signal<this, void>(this);
  timeline = new Timeline(SHORTEST_STEP_SECONDS);
  /** The span after the user paused, zoomed or moved; null while the charts follow the latest reading. */
  span: ISpan | null = null;
  error: RequestError | null = null;

  private rangeValue: number = RANGES[1];
  private layoutValue: Layout | null = null;
  private selectedNames: readonly string[] | null = null;
  private lastFrame: Frame | null = null;
  private watching = false;
  private settling: ReturnType<typeof setTimeout> | undefined;
  private requestNumber = 0;

  constructor(
    readonly live: LiveModel,
    private readonly rest: Rest,
    private readonly state: IStateDB | null
  ) {
    void this.restore();
  }

  get rangeSeconds(): number {
    return this.rangeValue;
  }

  set rangeSeconds(value: number) {
    this.rangeValue = value;
    this.span = null;
    this.save();
    void this.load();
  }

  /** Several devices share a chart, unless the user chose otherwise. */
  get layout(): Layout {
    const count = this.live.deviceList.length;
    return this.layoutValue ?? (count > 1 ? 'overlay' : 'columns');
  }

  set layout(value: Layout) {
    this.layoutValue = value;
    this.save();
    this.changed.emit();
  }

  /** Whether minimum and maximum of each step are worth drawing. */
  get hasBands(): boolean {
    return this.timeline.stepSeconds >= BAND_STEP_SECONDS;
  }

  /** All metrics that can be drawn as a curve. */
  get available(): MetricInfo[] {
    return this.live.catalog.metrics.filter(
      metric => metric.kind === 'gauge' || metric.kind === 'counter'
    );
  }

  /** The shown metrics, in the catalogue's order. */
  get metrics(): MetricInfo[] {
    const selected = this.selectedNames;
    return this.available.filter(({ name }) =>
      selected === null
        ? FIRST_METRICS.includes(name) && this.reasonOf(name) === null
        : selected.includes(name)
    );
  }

  toggle(name: string, shown: boolean): void {
    const names = new Set(this.metrics.map(metric => metric.name));
    if (shown) {
      names.add(name);
    } else {
      names.delete(name);
    }
    this.selectedNames = [...names];
    this.save();
    void this.load();
  }

  /** Why no device has a metric; null if one has it, or nothing is known yet. */
  reasonOf(name: string): string | null {
    const { latest } = this.live;
    if (latest === null) {
      return null;
    }
    const readings = [...Object.values(latest.devices), latest.host]
      .map(each => each[name])
      .filter(each => each !== undefined);
    return readings.length === 0 ||
      readings.some(each => typeof each === 'number' || each === 'not_yet')
      ? null
      : String(readings[0]);
  }

  /** The visible span: the fixed one, or that up to the latest reading. */
  get visible(): ISpan {
    const to = this.timeline.newest ?? Date.now() / 1000;
    return this.span ?? { from: to - this.rangeSeconds, to };
  }

  /** Stop following the latest reading. */
  pause(): void {
    this.setSpan(this.visible);
  }

  /** Follow the latest reading again. */
  resume(): void {
    if (this.span !== null) {
      this.span = null;
      void this.load();
    }
  }

  /** Show a time span, and request it from the server at the finest resolution. */
  show(span: ISpan): void {
    this.setSpan(span);
    clearTimeout(this.settling);
    this.settling = setTimeout(() => void this.load(), SETTLED_MS);
  }

  /** Move by a share of the visible span; back in time if negative. */
  pan(share: number): void {
    const { from, to } = this.visible;
    const by = share * (to - from);
    this.show({ from: from + by, to: to + by });
  }

  /** Multiply the length of the visible span by this factor. */
  zoom(factor: number): void {
    const { from, to } = this.visible;
    const middle = (from + to) / 2;
    const half = Math.max(1, (factor * (to - from)) / 2);
    this.show({ from: middle - half, to: middle + half });
  }

  watch(watching: boolean): void {
    if (watching === this.watching) {
      return;
    }
    this.watching = watching;
    this.live.watch(this, watching);
    if (watching) {
      this.live.changed.connect(this.take, this);
      void this.load();
    } else {
      this.live.changed.disconnect(this.take, this);
    }
  }

  /** Load the history again: that of the fixed span, or of the range up to now. */
  async load(): Promise<void> {
    this.changed.emit();
    if (!this.watching || this.live.catalog.metrics.length === 0) {
      return; // this is called again after the stream's first message
    }
    const requestNumber = (this.requestNumber += 1);
    const { from, to } = this.visible;
    const now = this.live.latest?.time_seconds ?? Date.now() / 1000;
    const seconds = this.span
      ? Math.min(LONGEST_SECONDS, Math.max(1, now - from))
      : this.rangeSeconds;
    const step = Math.max(
      SHORTEST_STEP_SECONDS,
      (to - from) / STEPS,
      seconds / MOST_STEPS
    );
    const names = this.metrics.map(metric => metric.name);
    if (names.length === 0) {
      return;
    }
    const timeline = new Timeline(step);
    const error = await attempt(async () =>
      timeline.seed(await this.rest.history(seconds, step, names))
    );
    if (requestNumber !== this.requestNumber) {
      return; // a later request has replaced this one
    }
    if (error === null) {
      this.timeline = timeline;
    }
    this.error = error;
    this.changed.emit();
    this.drawn.emit();
  }

  private take(): void {
    const frame = this.live.latest;
    if (frame === null || frame === this.lastFrame) {
      this.changed.emit(); // the devices, the alerts or the connection changed
      return;
    }
    const first = this.lastFrame === null;
    this.lastFrame = frame;
    if (first) {
      void this.load();
      return;
    }
    const names = this.metrics.map(metric => metric.name);
    this.timeline.push(frame, names, this.visible.from - 1);
    this.drawn.emit();
  }

  private setSpan(span: ISpan): void {
    this.span = span;
    this.changed.emit();
    this.drawn.emit();
  }

  private save(): void {
    void this.state?.save(STATE_KEY, {
      range: this.rangeValue,
      layout: this.layoutValue,
      metrics: this.selectedNames === null ? null : [...this.selectedNames]
    });
  }

  private async restore(): Promise<void> {
    const stored = (await this.state?.fetch(STATE_KEY)) as
      ReadonlyPartialJSONObject | undefined;
    const { range, layout, metrics } = stored ?? {};
    if (RANGES.some(each => each === range)) {
      this.rangeValue = range as number;
    }
    if (layout === 'overlay' || layout === 'columns') {
      this.layoutValue = layout;
    }
    if (Array.isArray(metrics)) {
      this.selectedNames = metrics.filter(each => typeof each === 'string');
    }
    void this.load();
  }
}
