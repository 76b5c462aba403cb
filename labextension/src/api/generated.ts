/* Generated from jupyter_gpuperf/schemas/ by scripts/generate_types.py: do not edit. */

export interface Wire {}
/**
 * A problem that needs the user's attention now; it has lasted for its rule's minimum time.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "Alert".
 */
export interface Alert {
  advice: string;
  advice_message?: MessageInfo;
  code: string;
  device: string | null;
  evidence: {
    [k: string]: number | string;
  };
  severity: "critical" | "info" | "warning";
  since_seconds: number;
  summary: string;
  summary_message?: MessageInfo;
}
/**
 * A message as template and parameters, for translation.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "MessageInfo".
 */
export interface MessageInfo {
  parameters: {};
  plural?: string | null;
  template: string;
}
/**
 * All current alerts, sent when one appears or disappears, and once after the greeting.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "AlertsChanged".
 */
export interface AlertsChanged {
  alerts: Alert[];
  type: "alerts";
}
/**
 * One benchmark and its parameters.
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
 * One parameter of a benchmark, with all data for a form field, a command-line option and validation.
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
  type: "boolean" | "choice" | "integer" | "number" | "text";
}
/**
 * The result of a benchmark, as sent by the worker and returned by ``.to_dict()``.
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
  precision?: PrecisionProfile | null;
  samples: {
    [k: string]: number[];
  };
  speedup?: SpeedupReport | null;
  unit: string;
  warnings: string[];
  warnings_message?: (MessageInfo | null)[];
}
/**
 * A measured value with its 95 % confidence interval; ``low <= value <= high``.
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
 * The results of all modes, and the recommendation.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "PrecisionProfile".
 */
export interface PrecisionProfile {
  code: string;
  modes: PrecisionMode[];
  next_steps: string[];
  next_steps_message?: (MessageInfo | null)[];
  now: string | null;
  recommended: string | null;
  sentence: string;
  sentence_message?: MessageInfo;
  why_not_more: string[];
  why_not_more_message?: (MessageInfo | null)[];
}
/**
 * One precision mode. A value that could not be measured is ``None``; ``error`` contains the reason.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "PrecisionMode".
 */
export interface PrecisionMode {
  compile_seconds: number | null;
  error: string;
  error_message?: MessageInfo;
  mode: string;
  numbers: string;
  numbers_message?: MessageInfo;
  peak_bytes: number | null;
  speedup: Interval | null;
  step_seconds: Interval | null;
  steps_skipped: number;
  verdict: ("broken" | "close" | "far" | "reference" | "unknown" | "within") | null;
}
/**
 * What was found; while the search runs, what was found so far.
 *
 * The whole is in the figures of the result: ``before_seconds``, ``after_seconds``, ``speedup`` and, on a GPU,
 * ``before_peak_bytes`` and ``after_peak_bytes``, the peak of the tensors' memory.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "SpeedupReport".
 */
export interface SpeedupReport {
  code: string;
  facts: string[];
  facts_message?: (MessageInfo | null)[];
  levers: LeverResult[];
  losses: LossCurves | null;
  sentence: string;
  sentence_message?: MessageInfo;
  setup: string;
  steps_per_run: number;
}
/**
 * What one lever gave.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "LeverResult".
 */
export interface LeverResult {
  name: string;
  speedup: Interval | null;
  speedup_so_far: number | null;
  taken: boolean;
  why: string;
  why_message?: MessageInfo;
}
/**
 * The losses of the same steps, of the cell in fp32 and of the final code; ``None`` for one that is not finite.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "LossCurves".
 */
export interface LossCurves {
  after: (number | null)[];
  before: (number | null)[];
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
 * Answer of ``GET catalog``: all metrics.
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
 * ``maximum`` is the upper end of the scale if it is constant. If it depends on the device, ``maximum_metric`` is the
 * name of the metric that contains it (memory used → memory total).
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "MetricInfo".
 */
export interface MetricInfo {
  cadence: "slow" | "tick";
  family: string;
  flags: {
    [k: string]: string;
  };
  help: string;
  kind: "counter" | "flags" | "gauge" | "limit";
  label: string;
  maximum: number | null;
  maximum_metric: string | null;
  minimum: number | null;
  name: string;
  overview: boolean;
  scope: "device" | "host";
  unit: string;
}
/**
 * The time span of a cell, for charts.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "CellMark".
 */
export interface CellMark {
  began_seconds: number;
  ended_seconds: number;
  number: number;
}
/**
 * The result of one check.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "CheckFinding".
 */
export interface CheckFinding {
  expected: string;
  fix: string;
  found: string;
  found_message?: MessageInfo;
  id: string;
  label: string;
  link: string;
  seconds: number | null;
  status: "fail" | "ok" | "unknown" | "warn";
  subject: string;
  then: string;
  then_message?: MessageInfo;
  why: string;
}
/**
 * The history of one device or host: the start times of the time steps, and a series per metric.
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
 * The history of one metric, with one entry per time step; ``None`` for steps without a value.
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
 * One device, or one MIG instance. It is identified by ``uuid``; ``index`` is only for display.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "DeviceInfo".
 */
export interface DeviceInfo {
  clock_memory_max_mhz:
    | (
        | "device_lost"
        | "driver_error"
        | "implausible"
        | "no_permission"
        | "not_answering"
        | "not_recorded"
        | "not_supported"
        | "not_yet"
      )
    | number;
  clock_sm_max_mhz:
    | (
        | "device_lost"
        | "driver_error"
        | "implausible"
        | "no_permission"
        | "not_answering"
        | "not_recorded"
        | "not_supported"
        | "not_yet"
      )
    | number;
  compute_capability: string | null;
  driver_version: string | null;
  host?: string | null;
  index: number;
  memory_total_bytes:
    | (
        | "device_lost"
        | "driver_error"
        | "implausible"
        | "no_permission"
        | "not_answering"
        | "not_recorded"
        | "not_supported"
        | "not_yet"
      )
    | number;
  name: string;
  parent_uuid: string | null;
  pci_bus_id: string | null;
  power_limit_watts:
    | (
        | "device_lost"
        | "driver_error"
        | "implausible"
        | "no_permission"
        | "not_answering"
        | "not_recorded"
        | "not_supported"
        | "not_yet"
      )
    | number;
  replayed: boolean;
  state: "device_lost" | "not_answering" | "ok";
  unified_memory: boolean;
  uuid: string;
}
/**
 * The processes of one device, or the reason why they can't be listed.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "DeviceProcesses".
 */
export interface DeviceProcesses {
  processes: ProcessInfo[];
  reason:
    | (
        | "device_lost"
        | "driver_error"
        | "implausible"
        | "no_permission"
        | "not_answering"
        | "not_recorded"
        | "not_supported"
        | "not_yet"
      )
    | null;
  reports?: KernelReport[];
}
/**
 * A process that uses a device.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "ProcessInfo".
 */
export interface ProcessInfo {
  command: string | null;
  driver_pid: number;
  host?: string | null;
  kernel: KernelInfo | null;
  kernel_found_by: ("namespace_pid" | "process_tree") | null;
  kinds: ("compute" | "graphics")[];
  memory_used_bytes:
    | (
        | "device_lost"
        | "driver_error"
        | "implausible"
        | "no_permission"
        | "not_answering"
        | "not_recorded"
        | "not_supported"
        | "not_yet"
      )
    | number;
  pid: number | null;
  sm_utilization_percent:
    | (
        | "device_lost"
        | "driver_error"
        | "implausible"
        | "no_permission"
        | "not_answering"
        | "not_recorded"
        | "not_supported"
        | "not_yet"
      )
    | number;
  started_seconds: number | null;
  user: string | null;
}
/**
 * A kernel of this server to which a process belongs.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "KernelInfo".
 */
export interface KernelInfo {
  execution_state: string;
  idle_seconds: number | null;
  kernel_id: string;
  kernel_name: string;
  notebook_path: string | null;
  session_name: string | null;
}
/**
 * The memory that a kernel reports itself, if it can't be matched with one of the driver's processes.
 *
 * The kernel is one of the driver's processes, so its memory is already counted there. The report is only shown
 * beside them.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "KernelReport".
 */
export interface KernelReport {
  allocated_bytes: number;
  kernel: KernelInfo;
  pid: number;
  reserved_bytes: number;
}
/**
 * Answer of ``GET devices``. ``reason`` is set if there are no devices, and only then.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "Devices".
 */
export interface Devices {
  devices: DeviceInfo[];
  reason: NoDevices | null;
}
/**
 * Why there are no devices, with a hint on what to do.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "NoDevices".
 */
export interface NoDevices {
  code: string;
  hint: string;
  hint_message?: MessageInfo;
  message: string;
  message_message?: MessageInfo;
}
/**
 * The new list of devices, or the reason why there are none, sent when it has changed.
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
  open_panel?: boolean;
  source: string;
  version: string;
}
/**
 * ``GET doctor``: the results of all checks in one environment.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "DoctorReport".
 */
export interface DoctorReport {
  checks: CheckFinding[];
  duration_seconds: number;
  environment: {
    [k: string]: string | null;
  };
  interpreter: string;
  kernel_name: string | null;
  packages: {
    [k: string]: string;
  };
  taken_seconds: number;
}
/**
 * A difference between two environments.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "EnvironmentChange".
 */
export interface EnvironmentChange {
  after: boolean | number | string | null;
  before: boolean | number | string | null;
  name: string;
}
/**
 * An error: the HTTP body of every 4xx or 5xx response, and the error of a failed job.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "ErrorInfo".
 */
export interface ErrorInfo {
  code: string;
  hint: string;
  hint_message?: MessageInfo;
  message: string;
  message_message?: MessageInfo;
}
/**
 * Body of ``POST training/explain``: the key of the notebook, and the number of its next steps to profile.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "ExplainRequest".
 */
export interface ExplainRequest {
  key: string;
  steps?: number;
}
/**
 * The comparison of one figure in two environments.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "FigureChange".
 */
export interface FigureChange {
  after: Interval;
  before: Interval;
  benchmark: string;
  figure: string;
  parameters: {
    [k: string]: boolean | number | string;
  };
  ratio: Interval;
  unit: string;
  verdict: "better" | "same" | "unknown" | "worse";
  warnings: string[];
  warnings_message?: (MessageInfo | null)[];
}
/**
 * A reason why the work on a device is slow or fails.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "Finding".
 */
export interface Finding {
  advice: string;
  advice_message?: MessageInfo;
  alert?: string | null;
  change: string | null;
  code: string;
  confidence: "confirmed" | "suspected";
  cost: string | null;
  cost_message?: MessageInfo;
  device: string | null;
  evidence: {
    [k: string]: number | string;
  };
  lost_ratio: number | null;
  lost_seconds_per_epoch: number | null;
  notebook: string | null;
  pid: number | null;
  refuted_by: string;
  refuted_by_message?: MessageInfo;
  severity: "critical" | "info" | "warning";
  since_seconds: number;
  summary: string;
  summary_message?: MessageInfo;
}
/**
 * All current findings: the answer of ``GET findings``. On the live socket, it is sent when a finding appears or
 * disappears, and once after the greeting.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "FindingsChanged".
 */
export interface FindingsChanged {
  findings: Finding[];
  type: "findings";
  undecided?: UndecidedCauses[];
}
/**
 * Causes that can't be confirmed or ruled out on a device, because it lacks the readings that decide.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "UndecidedCauses".
 */
export interface UndecidedCauses {
  codes: string[];
  device: string;
  metrics: string[];
  summary: string;
  summary_message?: MessageInfo;
}
/**
 * Request of a page on the live socket: the lists to follow from now on, in addition to the readings.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "Follow".
 */
export interface Follow {
  topics: ("jobs" | "recordings" | "suites")[];
  type: "follow";
}
/**
 * All readings of one tick; ``devices``: device UUID → metric name → reading.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "Frame".
 */
export interface Frame {
  devices: {
    [k: string]: {
      [k: string]:
        | (
            | "device_lost"
            | "driver_error"
            | "implausible"
            | "no_permission"
            | "not_answering"
            | "not_recorded"
            | "not_supported"
            | "not_yet"
          )
        | number;
    };
  };
  host: {
    [k: string]:
      | (
          | "device_lost"
          | "driver_error"
          | "implausible"
          | "no_permission"
          | "not_answering"
          | "not_recorded"
          | "not_supported"
          | "not_yet"
        )
      | number;
  };
  host_cores_percent: number[];
  hosts?: {
    [k: string]: {
      [k: string]:
        | (
            | "device_lost"
            | "driver_error"
            | "implausible"
            | "no_permission"
            | "not_answering"
            | "not_recorded"
            | "not_supported"
            | "not_yet"
          )
        | number;
    };
  };
  taken_seconds?: {
    [k: string]: number;
  };
  time_seconds: number;
  type: "frame";
}
/**
 * Body of ``POST memory/free``.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "FreeRequest".
 */
export interface FreeRequest {
  kernel: string;
}
/**
 * What clearing the history and the last exception of a notebook would free.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "FreeableMemory".
 */
export interface FreeableMemory {
  /**
   * @maxItems 1000
   */
  cleared: string[];
  device: string;
  promised_bytes: number;
}
/**
 * What clearing the history, the last exception and variables freed.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "FreedMemory".
 */
export interface FreedMemory {
  cache_bytes: number | null;
  /**
   * @maxItems 1000
   */
  cleared: string[];
  device: string;
  freed_bytes: number;
  promised_bytes: number;
}
/**
 * First message on the live socket: all data that a page needs to draw.
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
 * Answer of ``GET history``: the past readings of all devices and hosts, in time steps.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "History".
 */
export interface History {
  devices: {
    [k: string]: Columns;
  };
  host: Columns;
  hosts?: {
    [k: string]: Columns;
  };
  step_seconds: number;
}
/**
 * A function of the user's in which a loop's host time is spent, apart from the phases; by looks at its stack.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "HostLine".
 */
export interface HostLine {
  file: string;
  function: string;
  is_bounded?: boolean;
  line: number;
  ratio: number;
}
/**
 * The state of a job. Times are Unix times, ``None`` until the event happened.
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
  progress_message_message?: MessageInfo;
  progress_ratio: number;
  remaining_seconds?: number | null;
  result: BenchmarkResult | null;
  result_id?: number | null;
  started_seconds: number | null;
  state: "cancelled" | "done" | "failed" | "queued" | "running";
  suite?: string | null;
  waits_for?: string[];
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
 * Answer of ``GET jobs``: jobs, latest first.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "Jobs".
 */
export interface Jobs {
  jobs: JobInfo[];
}
/**
 * Changes of the jobs, sent on the live socket to clients that follow them.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "JobsChanged".
 */
export interface JobsChanged {
  ids: string[];
  jobs: JobInfo[];
  type: "jobs";
}
/**
 * A result in the user's results file.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "KeptResult".
 */
export interface KeptResult {
  baseline: boolean;
  created_seconds: number;
  id: number;
  result: BenchmarkResult;
}
/**
 * Answer of ``GET memory``: who holds the memory, as a notebook's kernel found it.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "KernelMemory".
 */
export interface KernelMemory {
  age_seconds: number;
  allocated_bytes: number;
  attributed_ratio: number | null;
  device: string;
  fragmented_bytes?: number | null;
  free_bytes: number | null;
  kernel: string;
  labels: {
    [k: string]: string;
  };
  largest_free_block_bytes?: number | null;
  /**
   * @maxItems 1000
   */
  notes?: string[];
  /**
   * @maxItems 1000
   */
  owners: MemoryOwner[];
  reserved_bytes: number | null;
  seconds?: number;
  total_bytes: number | null;
}
/**
 * What holds memory.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "MemoryOwner".
 */
export interface MemoryOwner {
  bytes: number;
  /**
   * @maxItems 1000
   */
  holders: string[];
  kind: string;
  name: string;
}
/**
 * Figures of a loop's steps in the last seconds. Ratios are shares of the duration of the steps.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "LoopSteps".
 */
export interface LoopSteps {
  allocated_bytes?: number | null;
  arguments?: string[] | null;
  batch_size: number | null;
  batches_per_epoch: number | null;
  bins: StepBin[];
  bounded_by?: "loader" | "module" | "optimizer";
  busy_metric: ("graphics_active_percent" | "utilization_percent") | null;
  busy_ratio: number | null;
  count: number;
  device_uuid: string | null;
  epoch_batches: number;
  epoch_left_seconds: number | null;
  flops_format?: ("bf16" | "fp16" | "fp32" | "fp64" | "fp8" | "tf32") | null;
  flops_per_step?: number | null;
  flops_unknown?:
    | (
        | "compiled"
        | "frozen_layers"
        | "no_backward_pass"
        | "other_modes"
        | "other_tensors"
        | "several_models"
        | "uncounted_operations"
      )
    | null;
  flops_utilization_at_clock_ratio?: number | null;
  flops_utilization_ratio?: number | null;
  host_lines?:
    | []
    | [HostLine]
    | [HostLine, HostLine]
    | [HostLine, HostLine, HostLine]
    | [HostLine, HostLine, HostLine, HostLine]
    | [HostLine, HostLine, HostLine, HostLine, HostLine]
    | [HostLine, HostLine, HostLine, HostLine, HostLine, HostLine]
    | [HostLine, HostLine, HostLine, HostLine, HostLine, HostLine, HostLine]
    | [HostLine, HostLine, HostLine, HostLine, HostLine, HostLine, HostLine, HostLine]
    | null;
  idle_for_data_ratio: number | null;
  idle_for_host_ratio: number | null;
  is_training: boolean;
  last_seconds: number;
  loader: string;
  loader_id: number;
  memory_growth?: MemoryGrowth | null;
  notebook: string;
  notebook_key?: string;
  num_workers: number;
  optimizer?: OptimizerInfo | null;
  peak_allocated_bytes?: number | null;
  persistent_workers: boolean;
  phases?: {
    [k: string]: PhaseSeconds;
  } | null;
  pid: number | null;
  pin_memory: boolean;
  prefetch_factor: number | null;
  rank?: number | null;
  ranks_count?: number | null;
  reserved_bytes?: number | null;
  samples_per_second: number | null;
  step_seconds: number;
  tokens_per_second?: number | null;
  wait_ratio: number | null;
  worker_threads: number | null;
}
/**
 * The number of steps that took from ``low_seconds`` up to ``high_seconds``.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "StepBin".
 */
export interface StepBin {
  count: number;
  high_seconds: number;
  low_seconds: number;
}
/**
 * Allocated memory that grows step by step, measured at the ends of a loop's steps.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "MemoryGrowth".
 */
export interface MemoryGrowth {
  bytes_per_step: number;
  function?: string | null;
  holder?: string | null;
  holds_graphs?: boolean;
  outlasts_epoch: boolean;
  steps: number;
}
/**
 * The optimizers that step in a loop, as one.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "OptimizerInfo".
 */
export interface OptimizerInfo {
  class_name: string;
  is_foreach?: boolean;
  is_fused?: boolean | null;
  tensors_count: number;
}
/**
 * Times of one phase. ``None`` is unknown, and not zero.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "PhaseSeconds".
 */
export interface PhaseSeconds {
  gpu_idle_seconds?: number | null;
  gpu_seconds?: number | null;
  host_seconds?: number | null;
}
/**
 * The current state of a watched notebook.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "NotebookTraining".
 */
export interface NotebookTraining {
  cells: CellMark[];
  connected: boolean;
  is_script?: boolean;
  key: string;
  loaders: LoopSteps[];
  notebook_path: string | null;
  pid: number | null;
}
/**
 * Answer of ``GET processes``: device UUID → its processes.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "Processes".
 */
export interface Processes {
  devices: {
    [k: string]: DeviceProcesses;
  };
  time_seconds: number;
}
/**
 * A recording that this server made.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "RecordingInfo".
 */
export interface RecordingInfo {
  duration_seconds: number;
  error: ErrorInfo | null;
  frames_count: number | null;
  id: string;
  label: string;
  path: string;
  size_bytes: number;
  started_seconds: number;
  state: "failed" | "recording" | "stopped";
}
/**
 * Body of ``POST recordings``. It may be empty.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "RecordingRequest".
 */
export interface RecordingRequest {
  interval_ms?: number;
  label?: string;
  seconds?: number | null;
}
/**
 * Answer of ``GET recordings``: recordings, latest first.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "Recordings".
 */
export interface Recordings {
  recordings: RecordingInfo[];
}
/**
 * All recordings, sent on the live socket to clients that follow them.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "RecordingsChanged".
 */
export interface RecordingsChanged {
  recordings: RecordingInfo[];
  type: "recordings";
}
/**
 * Answer of ``GET results/<id>/comparison``: the comparison of a stored result with another result.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "ResultComparison".
 */
export interface ResultComparison {
  against: ResultSummary | null;
  best: {
    [k: string]: number;
  };
  environment: EnvironmentChange[];
  figures: FigureChange[];
  history: ResultSummary[];
  id: number;
}
/**
 * A stored result without its samples, for lists and charts.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "ResultSummary".
 */
export interface ResultSummary {
  baseline: boolean;
  created_seconds: number;
  figures: {
    [k: string]: Interval;
  };
  id: number;
  unit: string;
}
/**
 * Answer of ``GET results``: stored results, latest first.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "Results".
 */
export interface Results {
  results: KeptResult[];
}
/**
 * Message from a client on ``WS live``: send frames at another interval (100 to 60000 ms).
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "SetInterval".
 */
export interface SetInterval {
  interval_ms: number;
  type: "set_interval";
}
/**
 * An error on the live socket; the socket stays open.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "SocketError".
 */
export interface SocketError {
  code: string;
  hint: string;
  hint_message?: MessageInfo;
  message: string;
  message_message?: MessageInfo;
  type: "error";
}
/**
 * Output of ``jupyter gpuperf compare``.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "SuiteComparison".
 */
export interface SuiteComparison {
  environment: EnvironmentChange[];
  figures: FigureChange[];
  only_after: string[];
  only_before: string[];
  rounds: number;
}
/**
 * A benchmark of a suite that failed, and its error.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "SuiteFailure".
 */
export interface SuiteFailure {
  benchmark: string;
  error: ErrorInfo;
}
/**
 * The state of a suite. Times are Unix times, ``None`` until the event happened.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "SuiteInfo".
 */
export interface SuiteInfo {
  benchmarks: string[];
  budget_seconds: number;
  created_seconds: number;
  device: string | null;
  ended_seconds: number | null;
  error: ErrorInfo | null;
  id: string;
  progress_message: string;
  progress_message_message?: MessageInfo;
  progress_ratio: number;
  remaining_seconds: number | null;
  rounds: number;
  rounds_done: number;
  sides: SuiteSide[];
  started_seconds: number | null;
  state: "cancelled" | "done" | "failed" | "queued" | "running";
}
/**
 * The part of a suite that ran in one kernel's environment.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "SuiteSide".
 */
export interface SuiteSide {
  failures: SuiteFailure[];
  kernel_name: string | null;
  result_ids: number[];
  title: string;
}
/**
 * Answer of ``GET suites/<id>``: the results so far.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "SuiteReport".
 */
export interface SuiteReport {
  comparison: SuiteComparison | null;
  results: BenchmarkResult[];
  suite: SuiteInfo;
}
/**
 * Body of ``POST suites``.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "SuiteRequest".
 */
export interface SuiteRequest {
  benchmarks?: string[];
  budget_seconds?: number;
  device?: string | null;
  kernel_names?: string[];
  parameters?: {
    [k: string]: {};
  };
  rounds?: number;
}
/**
 * Answer of ``GET suites``: suites, latest first.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "Suites".
 */
export interface Suites {
  suites: SuiteInfo[];
}
/**
 * All suites, sent on the live socket to clients that follow them.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "SuitesChanged".
 */
export interface SuitesChanged {
  suites: SuiteInfo[];
  type: "suites";
}
/**
 * Answer of ``GET training``: the current state of all watched notebooks, and their history.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "Training".
 */
export interface Training {
  history: {
    [k: string]: Columns;
  };
  now: TrainingNow;
  paths: {
    [k: string]: string | null;
  };
}
/**
 * The current state of all watched notebooks, sent on the live socket when it changes.
 *
 * This interface was referenced by `Wire`'s JSON-Schema
 * via the `definition` "TrainingNow".
 */
export interface TrainingNow {
  notebooks: NotebookTraining[];
  time_seconds: number;
  type: "training";
  window_seconds: number;
}
