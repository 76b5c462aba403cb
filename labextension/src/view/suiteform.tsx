import * as React from 'react';

import type {
  BenchmarkInfo,
  ParameterInfo,
  SuiteRequest
} from '../api/generated';
import { problemOf } from '../model/form';
import { trans } from '../translation';
import { Choice, Field, useTarget } from './form';
import { Fold, More, useRemembered } from './section';

const NUMBER: Omit<ParameterInfo, 'name' | 'help'> = {
  type: 'number',
  default: 0,
  minimum: 1,
  maximum: 1440,
  choices: []
};

interface ISuiteFormProps {
  readonly benchmarks: readonly BenchmarkInfo[];
  onRun(request: SuiteRequest): void;
}

/** Many benchmarks at once: in one kernel, or in two in alternation, for comparison. */
export function SuiteForm({ benchmarks, onRun }: ISuiteFormProps): JSX.Element {
  const [open, setOpen] = useRemembered('suite', false);
  const target = useTarget('suite_kernel');
  const [other, setOther] = React.useState('');
  const [left, setLeft] = React.useState<readonly string[]>([]);
  const [typed, setTyped] = React.useState<Record<string, string>>({
    rounds: '5',
    minutes: '30'
  });
  const fields: (ParameterInfo & { label: string })[] = [
    {
      ...NUMBER,
      name: 'rounds',
      label: trans.__('Rounds'),
      type: 'integer',
      maximum: 50,
      help: trans.__(
        'How often each benchmark runs, each time in a fresh process.'
      )
    },
    {
      ...NUMBER,
      name: 'minutes',
      label: trans.__('Time (min)'),
      help: trans.__('No round is begun that would take longer.')
    }
  ];
  const problems = fields.map(each => problemOf(each, typed[each.name]));
  const chosen = benchmarks.filter(each => !left.includes(each.name));
  const submit = (event: React.FormEvent) => {
    event.preventDefault();
    onRun({
      benchmarks: left.length > 0 ? chosen.map(each => each.name) : [],
      kernel_names: [target.kernel, other].filter(Boolean),
      device: target.device,
      rounds: Number(typed.rounds),
      budget_seconds: 60 * Number(typed.minutes)
    });
  };
  return (
    <details className="jp-GpuPerf-more" data-form="suite" open={open}>
      <Fold open={open} onChange={setOpen}>
        {trans.__('Suite, in one kernel or two')}
      </Fold>
      <form className="jp-GpuPerf-form" onSubmit={submit} noValidate>
        <p className="jp-GpuPerf-note">
          {trans.__(
            'Runs what fits this machine. Two kernels run by turns (A B B A …), so that what drifts counts for both.'
          )}
        </p>
        {target.kernelChoice}
        <Choice
          name="suite_other"
          label={trans.__('Against')}
          help={trans.__('Another environment to hold it against.')}
          value={other}
          options={[['', trans.__('no other')], ...target.kernels]}
          onChange={setOther}
        />
        {target.deviceChoice}
        {fields.map((field, i) => (
          <Field
            key={field.name}
            parameter={field}
            label={field.label}
            value={typed[field.name]}
            problem={problems[i]}
            onChange={value =>
              setTyped({ ...typed, [field.name]: String(value) })
            }
          />
        ))}
        <More
          title={trans.__(
            '%1 of %2 benchmarks',
            chosen.length,
            benchmarks.length
          )}
        >
          {benchmarks.map(({ name, label }) => (
            <label key={name} className="jp-GpuPerf-check">
              <input
                type="checkbox"
                name={`suite_${name}`}
                checked={!left.includes(name)}
                onChange={event =>
                  setLeft(
                    event.target.checked
                      ? left.filter(each => each !== name)
                      : [...left, name]
                  )
                }
              />
              {trans.__(label)}
            </label>
          ))}
          <button
            className="jp-mod-styled"
            type="button"
            onClick={() =>
              setLeft(left.length > 0 ? [] : benchmarks.map(each => each.name))
            }
          >
            {left.length > 0 ? trans.__('All') : trans.__('None')}
          </button>
        </More>
        <button
          className="jp-mod-styled jp-mod-accept"
          type="submit"
          disabled={
            chosen.length === 0 || problems.some(problem => problem !== null)
          }
        >
          {trans.__('Run the suite')}
        </button>
      </form>
    </details>
  );
}
