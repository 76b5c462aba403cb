import type { BenchmarkInfo, ParameterInfo } from '../api/generated';

export type Scalar = boolean | number | string;

/** The content of a form, as typed: numbers are text. */
export type Typed = Record<string, string | boolean>;

/** The initial content of the form. */
export function defaultsOf(benchmark: BenchmarkInfo): Typed {
  return Object.fromEntries(
    benchmark.parameters.map(parameter => [
      parameter.name,
      parameter.type === 'boolean'
        ? Boolean(parameter.default)
        : String(parameter.default)
    ])
  );
}

/** What can be wrong with a value. */
export type Invalid = 'not_a_number' | 'not_whole' | 'out_of_range';

/** What is wrong with a value; null if nothing is. */
export function problemOf(
  parameter: ParameterInfo,
  typed: string | boolean
): Invalid | null {
  if (typeof typed === 'boolean' || !isNumber(parameter)) {
    return null;
  }
  const value = Number(typed);
  if (typed.trim() === '' || !Number.isFinite(value)) {
    return 'not_a_number';
  }
  if (parameter.type === 'integer' && !Number.isInteger(value)) {
    return 'not_whole';
  }
  return isWithin(value, parameter) ? null : 'out_of_range';
}

function isNumber({ type }: ParameterInfo): boolean {
  return type === 'integer' || type === 'number';
}

function isWithin(value: number, { minimum, maximum }: ParameterInfo): boolean {
  return (
    (minimum === null || value >= minimum) &&
    (maximum === null || value <= maximum)
  );
}

/** The parameters to send, with numbers converted from text. */
export function parametersOf(
  benchmark: BenchmarkInfo,
  typed: Typed
): Record<string, Scalar> {
  return Object.fromEntries(
    benchmark.parameters.map(parameter => {
      const value = typed[parameter.name];
      return [parameter.name, isNumber(parameter) ? Number(value) : value];
    })
  );
}
