/* Generated from jupyter_gpuperf/schemas.py by scripts/generate_types.py: do not edit. */

export interface Wire {}
/**
 * One benchmark.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "BenchmarkInfo".
 */
export interface BenchmarkInfo {
  help: string;
  label: string;
  name: string;
  parameters: ParameterInfo[];
  requires: string[];
}
/**
 * One parameter of a benchmark, enough to build a form, a flag and a check from.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "ParameterInfo".
 */
export interface ParameterInfo {
  choices: string[];
  default: boolean | number | string;
  help: string;
  maximum: number | null;
  minimum: number | null;
  name: string;
  type: "boolean" | "choice" | "integer" | "number";
}
/**
 * A benchmark's answer, as the worker sends it and as ``.to_dict()`` shows it.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "BenchmarkResult".
 */
export interface BenchmarkResult {
  benchmark: string;
  environment: {
    [k: string]: boolean | number | string | null;
  };
  figures: {
    [k: string]: Interval;
  };
  limits: {
    [k: string]: number;
  };
  parameters: {
    [k: string]: boolean | number | string;
  };
  samples: {
    [k: string]: number[];
  };
  unit: string;
  warnings: string[];
}
/**
 * A measured value with its 95 % confidence interval, ``low <= value <= high``.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "Interval".
 */
export interface Interval {
  high: number;
  low: number;
  value: number;
}
/**
 * Answer of ``GET benchmarks``.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "Benchmarks".
 */
export interface Benchmarks {
  benchmarks: BenchmarkInfo[];
}
/**
 * Answer of ``GET catalog``.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "Catalog".
 */
export interface Catalog {
  metrics: MetricInfo[];
}
/**
 * One metric of the catalogue.
 *
 *     ``maximum`` is the top of the scale where it is a constant; ``maximum_metric`` names the metric
 *     that gives it where it depends on the device (memory used → memory total).
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "MetricInfo".
 */
export interface MetricInfo {
  flags: {
    [k: string]: string;
  };
  help: string;
  kind: "flags" | "gauge" | "limit";
  label: string;
  maximum: number | null;
  maximum_metric: string | null;
  minimum: number | null;
  name: string;
  scope: "device" | "host";
  unit: string;
}
/**
 * One device's history: the steps' starting times, and a series per metric.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "Columns".
 */
export interface Columns {
  metrics: {
    [k: string]: Series;
  };
  times_seconds: number[];
}
/**
 * One metric's history, one entry per step; ``None`` where no tick had a value.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "Series".
 */
export interface Series {
  max: (number | null)[];
  mean: (number | null)[];
  min: (number | null)[];
}
/**
 * One device. ``uuid`` is its key everywhere; ``index`` is for display only.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "DeviceInfo".
 */
export interface DeviceInfo {
  clock_memory_max_mhz:
    | number
    | (
        | "device_lost"
        | "driver_error"
        | "no_permission"
        | "not_answering"
        | "not_recorded"
        | "not_supported"
        | "not_yet"
      );
  clock_sm_max_mhz:
    | number
    | (
        | "device_lost"
        | "driver_error"
        | "no_permission"
        | "not_answering"
        | "not_recorded"
        | "not_supported"
        | "not_yet"
      );
  driver_version: string | null;
  index: number;
  memory_total_bytes:
    | number
    | (
        | "device_lost"
        | "driver_error"
        | "no_permission"
        | "not_answering"
        | "not_recorded"
        | "not_supported"
        | "not_yet"
      );
  name: string;
  power_limit_watts:
    | number
    | (
        | "device_lost"
        | "driver_error"
        | "no_permission"
        | "not_answering"
        | "not_recorded"
        | "not_supported"
        | "not_yet"
      );
  replayed: boolean;
  uuid: string;
}
/**
 * Answer of ``GET devices``. Exactly one of the two is empty.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "Devices".
 */
export interface Devices {
  devices: DeviceInfo[];
  reason: NoDevices | null;
}
/**
 * Why there is no device: what was looked for and found, and what to type.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "NoDevices".
 */
export interface NoDevices {
  code: string;
  hint: string;
  message: string;
}
/**
 * The set of devices, or the reason why there is none, changed.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "DevicesChanged".
 */
export interface DevicesChanged {
  devices: Devices;
  type: "devices";
  version: Version;
}
/**
 * Answer of ``GET version``.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "Version".
 */
export interface Version {
  api_version: number;
  source: string;
  version: string;
}
/**
 * A refusal: HTTP body of any 4xx or 5xx, and a failed job's error.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "ErrorInfo".
 */
export interface ErrorInfo {
  code: string;
  hint: string;
  message: string;
}
/**
 * All readings of one tick: device UUID → metric name → value or reason.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "Frame".
 */
export interface Frame {
  devices: {
    [k: string]: {
      [k: string]:
        | number
        | (
            | "device_lost"
            | "driver_error"
            | "no_permission"
            | "not_answering"
            | "not_recorded"
            | "not_supported"
            | "not_yet"
          );
    };
  };
  host: {
    [k: string]:
      | number
      | (
          | "device_lost"
          | "driver_error"
          | "no_permission"
          | "not_answering"
          | "not_recorded"
          | "not_supported"
          | "not_yet"
        );
  };
  time_seconds: number;
  type: "frame";
}
/**
 * First message of the live socket: all that a page needs to draw.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "Hello".
 */
export interface Hello {
  catalog: Catalog;
  devices: Devices;
  history: History;
  interval_ms: number;
  type: "hello";
  version: Version;
}
/**
 * Answer of ``GET history``.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "History".
 */
export interface History {
  devices: {
    [k: string]: Columns;
  };
  host: Columns;
  step_seconds: number;
}
/**
 * A job's state. Times are Unix seconds; ``None`` until they happened.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "JobInfo".
 */
export interface JobInfo {
  benchmark: string;
  created_seconds: number;
  device: string | null;
  ended_seconds: number | null;
  error: ErrorInfo | null;
  id: string;
  kernel_name: string | null;
  log_tail: string;
  parameters: {
    [k: string]: boolean | number | string;
  };
  progress_message: string;
  progress_ratio: number;
  result: BenchmarkResult | null;
  started_seconds: number | null;
  state: "cancelled" | "done" | "failed" | "queued" | "running";
}
/**
 * Body of ``POST jobs``.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "JobRequest".
 */
export interface JobRequest {
  benchmark: string;
  device?: string | null;
  kernel_name?: string | null;
  parameters?: {};
}
/**
 * Answer of ``GET jobs``, newest first.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "Jobs".
 */
export interface Jobs {
  jobs: JobInfo[];
}
/**
 * What a client may send on ``WS live``: wish for another interval (100 to 60000 ms).
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "SetInterval".
 */
export interface SetInterval {
  interval_ms: number;
  type: "set_interval";
}
/**
 * A refusal on the live socket; the socket stays open.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "SocketError".
 */
export interface SocketError {
  code: string;
  hint: string;
  message: string;
  type: "error";
}
