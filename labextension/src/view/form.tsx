import type { IStateDB } from '@jupyterlab/statedb';
import * as React from 'react';

import type {
  BenchmarkInfo,
  DeviceInfo,
  JobRequest,
  ParameterInfo
} from '../api/generated';
import { fieldLabelOf } from '../format';
import {
  defaultsOf,
  parametersOf,
  Problem,
  problemOf,
  Typed
} from '../model/form';
import { trans, translated } from '../translation';
import { Fold, useRemembered } from './section';
import { problemInWords } from './words';

interface IFormProps {
  readonly benchmark: BenchmarkInfo;
  /** Kernel spec name → what people call it. */
  readonly kernels: Record<string, string>;
  readonly defaultKernel: string;
  /** The devices to choose from. */
  readonly devices: readonly DeviceInfo[];
  readonly state: IStateDB | null;
  /** What stands beside the button: the choice of the benchmark. */
  readonly children: React.ReactNode;
  onRun(request: JobRequest): void;
}

/** A benchmark's form, built from its parameters. */
export function BenchmarkForm(props: IFormProps): JSX.Element {
  const { benchmark, kernels, defaultKernel, devices, onRun } = props;
  const [typed, setTyped] = React.useState<Typed>(defaultsOf(benchmark));
  const [kernel, setKernel] = React.useState('');
  const [uuid, setUuid] = React.useState('');
  const [open, setOpen] = useRemembered(props.state, 'parameters', false);
  const problems = benchmark.parameters.map(each =>
    problemOf(each, typed[each.name])
  );
  const submit = (event: React.FormEvent) => {
    event.preventDefault();
    onRun({
      benchmark: benchmark.name,
      parameters: parametersOf(benchmark, typed),
      kernel_name: kernel || defaultKernel || null,
      // One that is gone meanwhile is not asked for.
      device: devices.find(each => each.uuid === uuid)?.uuid ?? null
    });
  };
  const hasProblem = problems.some(problem => problem !== null);
  return (
    <form className="jp-GpuPerf-form" onSubmit={submit} noValidate>
      <div className="jp-GpuPerf-formHead">
        {props.children}
        <button
          className="jp-mod-styled jp-mod-accept"
          type="submit"
          disabled={hasProblem}
        >
          {trans.__('Run')}
        </button>
      </div>
      <p className="jp-GpuPerf-note">{trans.__(benchmark.help)}</p>
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
        <Choice
          name="kernel_name"
          label={trans.__('Kernel')}
          help={trans.__('The environment that runs the benchmark.')}
          value={kernel || defaultKernel}
          options={kernels}
          onChange={setKernel}
        />
        <DeviceChoice devices={devices} value={uuid} onChange={setUuid} />
      </details>
    </form>
  );
}

/** One of several, as it is said to the reader. */
export function Select(props: {
  name: string;
  label?: string;
  help?: string;
  value: string;
  /** Values, and what people call them. */
  options: readonly (readonly [string, string])[];
  onChange(value: string): void;
}): JSX.Element {
  return (
    <select
      className="jp-mod-styled"
      name={props.name}
      aria-label={props.label}
      aria-description={props.help}
      value={props.value}
      onChange={event => props.onChange(event.target.value)}
    >
      {props.options.map(([value, words]) => (
        <option key={value} value={value}>
          {words}
        </option>
      ))}
    </select>
  );
}

interface IChoiceProps {
  readonly name: string;
  readonly label: string;
  readonly help: string;
  readonly value: string;
  /** Value → what people call it. */
  readonly options: Record<string, string>;
  onChange(value: string): void;
}

export function Choice(props: IChoiceProps): JSX.Element {
  const { name, label, help, value, options, onChange } = props;
  return (
    <label className="jp-GpuPerf-field" title={help}>
      <span>{label}</span>
      <Select
        name={name}
        help={help}
        value={value}
        options={Object.entries(options)}
        onChange={onChange}
      />
    </label>
  );
}

/** Which device runs it; nothing where there is no choice. */
export function DeviceChoice(props: {
  devices: readonly DeviceInfo[];
  value: string;
  onChange(uuid: string): void;
}): JSX.Element | null {
  const { devices, value, onChange } = props;
  return devices.length > 1 ? (
    <Choice
      name="device"
      label={trans.__('GPU')}
      help={trans.__('The device that runs the benchmark.')}
      value={value}
      options={{
        '': trans.__('The kernel’s first'),
        ...Object.fromEntries(
          devices.map(each => [each.uuid, `${each.index} ${each.name}`])
        )
      }}
      onChange={onChange}
    />
  ) : null;
}

interface IFieldProps {
  readonly parameter: ParameterInfo;
  /** By default, what its name says. */
  readonly label?: string;
  readonly value: string | boolean;
  readonly problem: Problem | null;
  onChange(value: string | boolean): void;
}

export function Field({
  parameter,
  label,
  value,
  problem,
  onChange
}: IFieldProps): JSX.Element {
  const help = trans.__(parameter.help);
  return (
    <label className="jp-GpuPerf-field" title={help}>
      <span>{label ?? fieldLabelOf(parameter.name, translated)}</span>
      <Input
        parameter={parameter}
        value={value}
        problem={problem}
        help={help}
        onChange={onChange}
      />
      {problem ? (
        <span className="jp-GpuPerf-problem" role="alert">
          {problemInWords(problem, parameter)}
        </span>
      ) : null}
    </label>
  );
}

function Input({
  parameter,
  value,
  problem,
  help,
  onChange
}: Omit<IFieldProps, 'label'> & { help: string }): JSX.Element {
  if (typeof value === 'boolean') {
    return (
      <input
        type="checkbox"
        name={parameter.name}
        aria-description={help}
        checked={value}
        onChange={event => onChange(event.target.checked)}
      />
    );
  }
  if (parameter.type === 'choice') {
    return (
      <Select
        name={parameter.name}
        help={help}
        value={value}
        options={parameter.choices.map(each => [each, each])}
        onChange={onChange}
      />
    );
  }
  return (
    <input
      className="jp-mod-styled"
      type="text"
      inputMode="decimal"
      name={parameter.name}
      aria-description={help}
      value={value}
      aria-invalid={problem !== null}
      onChange={event => onChange(event.target.value)}
    />
  );
}
