import type { KernelSpec } from '@jupyterlab/services';
import * as React from 'react';

import type {
  BenchmarkInfo,
  ErrorInfo,
  JobRequest,
  ParameterInfo
} from '../api/generated';
import { fieldLabelOf } from '../format';
import {
  defaultsOf,
  parametersOf,
  Invalid,
  problemOf,
  Typed
} from '../model/form';
import { trans, translated } from '../translation';
import { usePanel } from './context';
import { Fold, usePersistent } from './section';
import { formatInvalid } from './messages';
import { ErrorDetails } from './errors';
import { Help, Note } from './elements';

interface IFormProps {
  readonly benchmark: BenchmarkInfo;
  /** Why the last request failed, shown below the button. */
  readonly error: ErrorInfo | null;
  /** The choice of the benchmark, shown beside the button. */
  readonly children: React.ReactNode;
  onRun(request: JobRequest): void;
}

/** A benchmark's form, built from its parameters. */
export function BenchmarkForm(props: IFormProps): JSX.Element {
  const { benchmark, error, children, onRun } = props;
  const [typed, setTyped] = React.useState<Typed>(defaultsOf(benchmark));
  const [open, setOpen] = usePersistent('parameters', false);
  const target = useTarget('kernel_name');
  const problems = benchmark.parameters.map(each =>
    problemOf(each, typed[each.name])
  );
  const submit = (event: React.FormEvent) => {
    event.preventDefault();
    onRun({
      benchmark: benchmark.name,
      parameters: parametersOf(benchmark, typed),
      kernel_name: target.kernel || null,
      device: target.device
    });
  };
  const hasProblem = problems.some(problem => problem !== null);
  return (
    <form className="jp-GpuPerf-form" onSubmit={submit} noValidate>
      <div className="jp-GpuPerf-formHead">
        {children}
        <button
          className="jp-mod-styled jp-mod-accept"
          type="submit"
          disabled={hasProblem}
        >
          {trans.__('Run')}
        </button>
      </div>
      <ErrorDetails error={error} role="alert" />
      <Note>
        {trans.__(benchmark.help)}{' '}
        <Help
          page={`reference/benchmarks/${benchmark.name}`}
          about={trans.__(benchmark.label)}
        />
      </Note>
      <details className="jp-GpuPerf-parameters" open={open || hasProblem}>
        <Fold open={open || hasProblem} onChange={setOpen}>
          {trans.__('Parameters')}
        </Fold>
        {benchmark.parameters.map((parameter, index) => (
          <Field
            key={parameter.name}
            parameter={parameter}
            value={typed[parameter.name]}
            problem={problems[index]}
            onChange={value => setTyped({ ...typed, [parameter.name]: value })}
          />
        ))}
        {target.kernelChoice}
        {target.deviceChoice}
      </details>
    </form>
  );
}

/** Where the benchmark runs: the chosen kernel and device, and the controls to choose them. */
export function useTarget(name: string) {
  const { live, kernelspecs } = usePanel();
  const [chosen, setKernel] = React.useState('');
  const [uuid, setUuid] = React.useState('');
  const kernels = pythonKernels(kernelspecs);
  // The server's default kernel if it is a Python kernel, otherwise the first Python kernel.
  const defaultName = kernelspecs.specs?.default ?? '';
  const [first] = kernels.find(([each]) => each === defaultName) ??
    kernels[0] ?? [''];
  const kernel = chosen || first;
  // Benchmarks can't run on replayed devices or on those of other machines.
  const devices = live.deviceList.filter(each => !each.replayed && !each.host);
  return {
    kernels,
    kernel,
    // Don't request a device that has disappeared since it was chosen.
    device: devices.find(each => each.uuid === uuid)?.uuid ?? null,
    kernelChoice: (
      <Choice
        name={name}
        label={trans.__('Kernel')}
        help={trans.__('Environment in which the benchmark runs.')}
        value={kernel}
        options={kernels}
        onChange={setKernel}
      />
    ),
    deviceChoice:
      devices.length > 1 ? (
        <Choice
          name="device"
          label={trans.__('GPU')}
          help={trans.__('GPU on which the benchmark runs.')}
          value={uuid}
          options={[
            ['', trans.__('Kernel’s first GPU')],
            ...devices.map(
              each => [each.uuid, `${each.index} ${each.name}`] as const
            )
          ]}
          onChange={setUuid}
        />
      ) : null
  };
}

/** The Python kernels: their names and display names. */
export function pythonKernels(manager: KernelSpec.IManager): Option[] {
  const specs = Object.values(manager.specs?.kernelspecs ?? {});
  return specs.flatMap(spec =>
    spec?.language === 'python' ? [[spec.name, spec.display_name]] : []
  );
}

/** An option: its value and its label. */
type Option = readonly [string, string];

interface IChoiceProps {
  readonly name: string;
  readonly label?: string;
  readonly help?: string;
  readonly value: string;
  readonly options: readonly Option[];
  onChange(value: string): void;
}

/** A drop-down list. */
export function Select(props: IChoiceProps): JSX.Element {
  return (
    <select
      className="jp-mod-styled"
      name={props.name}
      aria-label={props.label}
      aria-description={props.help}
      value={props.value}
      onChange={event => props.onChange(event.target.value)}
    >
      {props.options.map(([value, label]) => (
        <option key={value} value={value}>
          {label}
        </option>
      ))}
    </select>
  );
}

/** A drop-down list as a row of a form. */
export function Choice({ label, ...props }: IChoiceProps): JSX.Element {
  return (
    <label className="jp-GpuPerf-field" title={props.help}>
      <span>{label}</span>
      <Select {...props} />
    </label>
  );
}

interface IFieldProps {
  readonly parameter: ParameterInfo;
  /** By default, derived from the parameter's name. */
  readonly label?: string;
  readonly value: string | boolean;
  readonly problem: Invalid | null;
  onChange(value: string | boolean): void;
}

export function Field(props: IFieldProps): JSX.Element {
  const { parameter, label, problem } = props;
  return (
    <label className="jp-GpuPerf-field" title={trans.__(parameter.help)}>
      <span>{label ?? fieldLabelOf(parameter.name, translated)}</span>
      <Input {...props} />
      {problem ? (
        <span className="jp-GpuPerf-problem" role="alert">
          {formatInvalid(problem, parameter)}
        </span>
      ) : null}
    </label>
  );
}

function Input(props: IFieldProps): JSX.Element {
  const { parameter, value, problem, onChange } = props;
  const { name } = parameter;
  const help = trans.__(parameter.help);
  if (parameter.type === 'choice') {
    return (
      <Select
        name={name}
        help={help}
        value={String(value)}
        options={parameter.choices.map(each => [each, each])}
        onChange={onChange}
      />
    );
  }
  return typeof value === 'boolean' ? (
    <input
      type="checkbox"
      name={name}
      aria-description={help}
      checked={value}
      onChange={event => onChange(event.target.checked)}
    />
  ) : (
    <input
      className="jp-mod-styled"
      type="text"
      inputMode="decimal"
      name={name}
      aria-description={help}
      value={value}
      aria-invalid={problem !== null}
      onChange={event => onChange(event.target.value)}
    />
  );
}
