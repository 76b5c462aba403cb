import type { DeviceInfo, Frame, MetricInfo } from '../api/generated';

type Readings = Readonly<Record<string, number | string>>;

/** The severity of a reading. */
export type Level = 'warning' | 'critical';

/** The limits of a reading; if `warning` is above `critical`, low values are bad. */
export interface IThreshold {
  readonly warning?: number;
  readonly critical?: number;
}

/** The content of the status bar, as set by the user. */
export interface IStatusBarSettings {
  readonly metrics: readonly string[];
  /** `first`, `busiest`, a UUID, or an index. */
  readonly device: string;
  readonly thresholds: Readonly<Record<string, IThreshold>>;
}

/** The defaults; the same as in schema/plugin.json. */
export const STATUS_BAR_DEFAULTS: IStatusBarSettings = {
  metrics: [
    'utilization_percent',
    'memory_used_bytes',
    'temperature_celsius',
    'power_watts'
  ],
  device: 'first',
  thresholds: {
    memory_used_bytes: { warning: 90, critical: 97 },
    temperature_margin_celsius: { warning: 5, critical: 1 }
  }
};

/** The choice that is no metric of a device: what the loop on it is worth. */
export const TRAINING = 'training';

/** Another device is shown only if it is busier by this much; otherwise the name would change constantly. */
const CLEARLY_BUSIER_PERCENT = 10;

/** Validate the settings, which people edit by hand. */
export function statusBarSettingsOf(
  settings: Readonly<Record<string, unknown>>
): IStatusBarSettings {
  const { statusBarMetrics, statusBarDevice, statusBarThresholds } = settings;
  const isObject = (value: unknown): value is Record<string, IThreshold> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  return {
    metrics: Array.isArray(statusBarMetrics)
      ? [...new Set(statusBarMetrics.map(String))]
      : STATUS_BAR_DEFAULTS.metrics,
    device:
      typeof statusBarDevice === 'string'
        ? statusBarDevice.trim()
        : STATUS_BAR_DEFAULTS.device,
    thresholds: isObject(statusBarThresholds)
      ? statusBarThresholds
      : STATUS_BAR_DEFAULTS.thresholds
  };
}

/** The requested device; undefined if there is none. */
export function deviceOf(
  devices: readonly DeviceInfo[],
  frame: Frame | null,
  requested: string,
  previous?: string
): DeviceInfo | undefined {
  switch (requested) {
    case 'first':
      return devices[0];
    case 'busiest':
      return busiestOf(devices, frame, previous);
    default:
      return devices.find(
        each => each.uuid === requested || String(each.index) === requested
      );
  }
}

function busiestOf(
  devices: readonly DeviceInfo[],
  frame: Frame | null,
  previous?: string
): DeviceInfo | undefined {
  const busy = (device: DeviceInfo): number => {
    const reading = frame?.devices[device.uuid]?.utilization_percent;
    const bonus = device.uuid === previous ? CLEARLY_BUSIER_PERCENT : 0;
    return (typeof reading === 'number' ? reading : -1) + bonus;
  };
  return devices.reduce<DeviceInfo | undefined>(
    (best, each) =>
      best === undefined || busy(each) > busy(best) ? each : best,
    undefined
  );
}

/**
 * The severity of a reading. Thresholds are in the metric's own unit; for bytes, in percent of the
 * total. Temperature also uses the margin to the slowdown limit, which differs by chip.
 */
export function levelOf(
  metric: MetricInfo,
  readings: Readings,
  thresholds: IStatusBarSettings['thresholds']
): Level | null {
  const own = levelBy(scaled(metric, readings), thresholds[metric.name]);
  if (metric.name !== 'temperature_celsius') {
    return own;
  }
  const margin = levelBy(
    marginOf(readings),
    thresholds.temperature_margin_celsius
  );
  return own === 'critical' || margin === null ? own : margin;
}

function scaled(metric: MetricInfo, readings: Readings): number | null {
  const value = numberOf(readings[metric.name]);
  if (metric.unit !== 'bytes') {
    return value;
  }
  const total = numberOf(readings[metric.maximum_metric ?? '']);
  return value !== null && total ? (100 * value) / total : null;
}

/** Degrees left until the chip throttles; older drivers report only the limit. */
function marginOf(readings: Readings): number | null {
  const margin = numberOf(readings.temperature_margin_celsius);
  const limit = numberOf(readings.temperature_slowdown_celsius);
  const now = numberOf(readings.temperature_celsius);
  return margin ?? (limit !== null && now !== null ? limit - now : null);
}

function levelBy(value: number | null, threshold?: IThreshold): Level | null {
  if (value === null || !threshold) {
    return null;
  }
  const { warning, critical } = threshold;
  const low = (warning ?? -Infinity) > (critical ?? Infinity);
  const beyond = (limit?: number) =>
    typeof limit === 'number' && (low ? value <= limit : value >= limit);
  return beyond(critical) ? 'critical' : beyond(warning) ? 'warning' : null;
}

function numberOf(reading: number | string | undefined): number | null {
  return typeof reading === 'number' ? reading : null;
}
