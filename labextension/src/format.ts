import type { Interval } from './api/generated';

/** A formatted number and its unit, separate so that a view can style them. */
export interface IFigure {
  readonly text: string;
  readonly unit: string;
}

/** A figure as plain text: `57.0 GB/s`. */
export function plain({ text, unit }: IFigure): string {
  return `${text} ${unit}`.trim();
}

const BINARY_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
const DECIMAL_PREFIXES = ['', 'k', 'M', 'G', 'T', 'P'];
/** Rates use powers of a thousand, as links and data sheets do. */
const RATES: Record<string, string> = {
  bytes_per_second: 'B/s',
  flops_per_second: 'FLOP/s',
  joules: 'J'
};
const SYMBOLS: Record<string, string> = {
  bytes: 'B',
  seconds: 's',
  percent: '%',
  watts: 'W',
  celsius: '°C',
  mhz: 'MHz'
};

/** Format a reading. The number of digits is chosen so that the width hardly changes. */
export function formatReading(value: number, unit: string): IFigure {
  switch (unit) {
    case 'bytes':
      return formatBytes(value);
    case 'seconds':
      return formatSeconds(value);
    case 'ratio':
      return { text: (100 * value).toFixed(0), unit: '%' };
    case 'cores':
      return { text: significant(value), unit: '' };
    default:
      if (unit in RATES) {
        return formatRate(value, unit);
      }
      return { text: value.toFixed(0), unit: SYMBOLS[unit] ?? '' };
  }
}

/** A value with its unit: `57.0 GB/s`. */
export function formatQuantity(value: number, unit: string): string {
  return plain(formatReading(value, unit));
}

function formatBytes(value: number): IFigure {
  const [scaled, power] = scaledBy(1024, value, BINARY_UNITS);
  return {
    text: scaled.toFixed(power >= 3 ? 1 : 0),
    unit: BINARY_UNITS[power]
  };
}

/** `57000000000` bytes per second → `57.0` and `GB/s`. */
function formatRate(value: number, unit: string): IFigure {
  const [scaled, power] = scaledBy(1000, value, DECIMAL_PREFIXES);
  return {
    text: power === 0 ? value.toFixed(0) : significant(scaled),
    unit: DECIMAL_PREFIXES[power] + RATES[unit]
  };
}

/** The value, scaled to the largest unit in which it is at least 1, and the index of this unit. */
function scaledBy(
  step: number,
  value: number,
  units: readonly string[]
): [number, number] {
  let power = 0;
  while (Math.abs(value) >= step && power < units.length - 1) {
    value /= step;
    power += 1;
  }
  return [value, power];
}

function formatSeconds(value: number): IFigure {
  const [scaled, unit] =
    value >= 1
      ? [value, 's']
      : value >= 1e-3
        ? [value * 1e3, 'ms']
        : [value * 1e6, 'µs'];
  return { text: significant(scaled), unit };
}

/** Three significant digits, without an exponent. */
export function significant(value: number): string {
  if (value === 0) {
    return '0';
  }
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 6));
}

/** Used and total in the unit of the total: `12.3` and `of 80 GiB`; `of` translates the second part. */
export function formatShare(
  used: number,
  total: number,
  unit: string,
  of: (whole: string) => string
): IFigure {
  if (unit !== 'bytes') {
    const whole = formatReading(total, unit);
    return { text: used.toFixed(0), unit: of(`${whole.text} ${whole.unit}`) };
  }
  const gib = 2 ** 30;
  const digits = total >= 10 * gib ? 0 : 1;
  return {
    text: (used / gib).toFixed(1),
    unit: of(`${(total / gib).toFixed(digits)} GiB`)
  };
}

/** The maximum number of characters of a reading below `top`, to reserve space for it. */
export function widestOf(top: number | null, unit: string): number {
  const least = 2;
  if (top === null) {
    return least;
  }
  return unit === 'bytes'
    ? (top / 2 ** 30).toFixed(1).length
    : Math.max(least, formatReading(top, unit).text.length);
}

/** The widest usual reading in this unit, when its maximum is not known; null except for bytes and rates. */
export function widestReading(unit: string): IFigure | null {
  if (unit === 'bytes') {
    return { text: '888.8', unit: 'GiB' };
  }
  return unit in RATES ? { text: '88.8', unit: `M${RATES[unit]}` } : null;
}

/** `NVIDIA H100 80GB HBM3` → `H100`, for the status bar and rows. */
export function shortName(name: string): string {
  const words = name
    .replace(/^NVIDIA\s+/i, '')
    .replace(/^(GeForce|Tesla|Quadro)\s+/i, '')
    .split(/\s+/)
    .filter(
      word =>
        !/^\d+GB$/i.test(word) && !/^(HBM\w*|PCIe|SXM\w*|NVL)$/i.test(word)
    );
  return words.join(' ') || name;
}

const UNITS = [
  'bytes_per_second',
  'flops_per_second',
  'per_second',
  'seconds',
  'bytes',
  'percent',
  'ratio',
  'watts',
  'celsius',
  'mhz'
];

/** The unit in a figure's name. */
export function unitOf(name: string): string {
  return UNITS.find(unit => name.endsWith(`_${unit}`)) ?? '';
}

/** Translates a text into the reader's language. */
export type Translate = (text: string) => string;

const IN_ENGLISH: Translate = text => text;

/** Stored tunings call the current setting `present`, and the common recipe `golden`. */
const currentName = (name: string) =>
  name.replace(/^present_/, 'current_').replace(/^golden_/, 'common_recipe_');

/** `startup_seconds` → `startup`, `images_per_second` → `images per second`. */
export function readableName(name: string): string {
  const unit = unitOf(name).replace(/^per_second$/, '');
  return currentName(unit ? name.slice(0, -unit.length - 1) : name).replace(
    /_/g,
    ' '
  );
}

/** `startup_seconds` → `Startup`, `images_per_second` → `Images per second`. */
export function labelOf(name: string, translate = IN_ENGLISH): string {
  return capitalised(translate(readableName(name)));
}

/** `time_limit_seconds` → `Time limit (s)`, `batch_size` → `Batch size`. */
export function fieldLabelOf(name: string, translate = IN_ENGLISH): string {
  return capitalised(rowLabelOf(name, translate));
}

/** `power_watts` → `power (W)`, `torch_threads` → `torch threads`. */
export function rowLabelOf(name: string, translate = IN_ENGLISH): string {
  const symbol = SYMBOLS[unitOf(name)];
  return symbol
    ? `${translate(readableName(name))} (${symbol})`
    : translate(currentName(name).replace(/_/g, ' '));
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A figure with its interval: `11.2 ms` and `[10.9, 11.6]`, all in one unit. */
export function formatInterval(
  name: string,
  interval: Interval
): IFigure & { range: string } {
  const { value, low, high } = interval;
  const unit = unitOf(name);
  const range = (format: (edge: number) => string) =>
    `[${format(low)}, ${format(high)}]`;
  if (unit === 'bytes') {
    return {
      ...formatBytes(value),
      range: range(edge => formatQuantity(edge, unit))
    };
  }
  if (unit === 'seconds' || unit in RATES) {
    const figure = formatReading(value, unit);
    const times: Record<string, number> = { s: 1, ms: 1e3, µs: 1e6 };
    const scale =
      times[figure.unit] ?? (value === 0 ? 1 : Number(figure.text) / value);
    return { ...figure, range: range(edge => significant(edge * scale)) };
  }
  return {
    text: grouped(value),
    unit: name.endsWith('speedup')
      ? '×'
      : unit === 'per_second'
        ? '/s'
        : (SYMBOLS[unit] ?? ''),
    range: range(grouped)
  };
}

/** Thousands separated by a thin space; small numbers with three digits. */
export function grouped(value: number): string {
  if (Math.abs(value) < 1000) {
    return significant(value);
  }
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f');
}

const AGE_UNITS = [
  [86400, 'd'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's']
] as const;

/** Format an age: `45 s`, `40 min`, `3 h`, `2 d`. */
export function formatAge(seconds: number): string {
  const [size, unit] =
    AGE_UNITS.find(([each]) => seconds >= each) ?? AGE_UNITS[3];
  return `${Math.max(0, Math.floor(seconds / size))} ${unit}`;
}
