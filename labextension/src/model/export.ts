import type { BenchmarkResult } from '../api/generated';
import {
  formatInterval,
  formatQuantity,
  labelOf,
  plain,
  rowLabelOf,
  Translate,
  unitOf,
  readableName
} from '../format';
import { shareOf } from './limits';

/** Keys of the environment that name the device; the first one present is printed. */
const DEVICE = ['device_name', 'device'];
/** Printed separately, or too long to print. */
const SKIPPED = ['interpreter', 'platform', ...DEVICE];

/** A result as a Markdown table, for issues, notes and chats. */
export function markdownOf(
  result: BenchmarkResult,
  translate: Translate,
  ofLimit: (share: string, limit: string) => string,
  head: readonly string[]
): string {
  const settings = Object.entries(result.parameters)
    .filter(([, value]) => value !== false && value !== '')
    .map(([name, value]) => `${translate(readableName(name))} ${value}`);
  const limitOf = (name: string) =>
    formatQuantity(result.limits[name], unitOf(name));
  const rows = Object.entries(result.figures).map(([name, interval]) => {
    const figure = formatInterval(name, interval);
    const limit = result.limits[name];
    return [
      labelOf(name, translate),
      plain(figure),
      figure.range,
      String(result.samples[name]?.length ?? ''),
      limit === undefined
        ? ''
        : ofLimit(percent(shareOf(name, interval.value, limit)), limitOf(name))
    ];
  });
  const environment = Object.entries(result.environment);
  const device = environment.filter(([name]) => DEVICE.includes(name));
  const rest = environment.filter(
    ([name, value]) => !SKIPPED.includes(name) && value !== null && value !== ''
  );
  const where = [
    ...device.slice(0, 1).map(([, value]) => String(value)),
    ...rest.map(([name, value]) => `${rowLabelOf(name, translate)} ${value}`)
  ];
  return [
    [`**${result.benchmark}**`, settings.join(' · ')].join(' ').trim(),
    '',
    line(head),
    line(head.map(() => '---')),
    ...rows.map(line),
    '',
    ...result.warnings.map(each => `- ⚠ ${escaped(each)}`),
    ...(result.warnings.length > 0 ? [''] : []),
    escaped(where.join(' · ')),
    ''
  ].join('\n');
}

/** The raw samples, one per line. */
export function csvOf(result: BenchmarkResult): string {
  const lines = Object.entries(result.samples).flatMap(([name, values]) =>
    values.map((value, place) => `${csvName(name)},${place},${value}`)
  );
  return ['figure,sample,value', ...lines, ''].join('\n');
}

/** A name as a cell; a spreadsheet must not take it for a formula. */
function csvName(name: string): string {
  const text = name.replace(/^(?=[=+\-@])/, "'");
  return /[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

export function percent(ratio: number): string {
  return `${(100 * ratio).toFixed(0)} %`;
}

function line(cells: readonly string[]): string {
  return `| ${cells.map(escaped).join(' | ')} |`;
}

/** Escape characters that Markdown would interpret. */
function escaped(text: string): string {
  return text.replace(/[|<>*_`\\]/g, '\\$&').replace(/\s+/g, ' ');
}
