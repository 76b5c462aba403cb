import type { IStateDB } from '@jupyterlab/statedb';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type {
  BenchmarkInfo,
  JobRequest,
  ParameterInfo
} from '../api/generated';
import { titleOf } from '../format';
import { defaultsOf, parametersOf, problemOf, Typed } from '../model/form';
import { Fold, useRemembered } from './section';

interface IFormProps {
  readonly benchmark: BenchmarkInfo;
  /** Kernel spec name → what people call it. */
  readonly kernels: Record<string, string>;
  readonly defaultKernel: string;
  readonly trans: TranslationBundle;
  readonly state: IStateDB | null;
  /** What stands beside the button: the choice of the benchmark. */
  readonly children: React.ReactNode;
  onRun(request: JobRequest): void;
}

/** A benchmark's form, built from its parameters. */
export function BenchmarkForm(props: IFormProps): JSX.Element {
  const { benchmark, kernels, defaultKernel, trans, onRun } = props;
  const [typed, setTyped] = React.useState<Typed>(defaultsOf(benchmark));
  const [kernel, setKernel] = React.useState('');
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
      device: null
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
            trans={trans}
            onChange={value => setTyped({ ...typed, [parameter.name]: value })}
          />
        ))}
        <label className="jp-GpuPerf-field">
          <span>{trans.__('Kernel')}</span>
          <select
            className="jp-mod-styled"
            name="kernel_name"
            value={kernel || defaultKernel}
            onChange={event => setKernel(event.target.value)}
            title={trans.__('The environment that runs the benchmark.')}
          >
            {Object.entries(kernels).map(([name, title]) => (
              <option key={name} value={name}>
                {title}
              </option>
            ))}
          </select>
        </label>
      </details>
    </form>
  );
}

interface IFieldProps {
  readonly parameter: ParameterInfo;
  readonly value: string | boolean;
  readonly problem: string | null;
  readonly trans: TranslationBundle;
  onChange(value: string | boolean): void;
}

function Field({
  parameter,
  value,
  problem,
  trans,
  onChange
}: IFieldProps): JSX.Element {
  const words = trans.__(titleOf(parameter.name));
  return (
    <label className="jp-GpuPerf-field" title={trans.__(parameter.help)}>
      <span>{words}</span>
      <Input
        parameter={parameter}
        value={value}
        problem={problem}
        onChange={onChange}
      />
      {problem ? (
        <span className="jp-GpuPerf-problem" role="alert">
          {trans.__(problem)}
        </span>
      ) : null}
    </label>
  );
}

function Input({
  parameter,
  value,
  problem,
  onChange
}: Omit<IFieldProps, 'trans'>): JSX.Element {
  if (typeof value === 'boolean') {
    return (
      <input
        type="checkbox"
        name={parameter.name}
        checked={value}
        onChange={event => onChange(event.target.checked)}
      />
    );
  }
  if (parameter.type === 'choice') {
    return (
      <select
        className="jp-mod-styled"
        name={parameter.name}
        value={value}
        onChange={event => onChange(event.target.value)}
      >
        {parameter.choices.map(choice => (
          <option key={choice}>{choice}</option>
        ))}
      </select>
    );
  }
  return (
    <input
      className="jp-mod-styled"
      type="text"
      inputMode="decimal"
      name={parameter.name}
      value={value}
      aria-invalid={problem !== null}
      onChange={event => onChange(event.target.value)}
    />
  );
}
