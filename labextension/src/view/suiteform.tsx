import * as React from 'react';

import type {
  BenchmarkInfo,
  ParameterInfo,
  SuiteRequest
} from '../api/generated';
import { problemOf } from '../model/form';
import { trans } from '../translation';
import { Choice, Field, useTarget } from './form';
import { Fold, More, usePersistent } from './section';
import { Button, Note } from './elements';

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

/** Run many benchmarks at once, in one kernel or, for comparison, alternating between two. */
export function SuiteForm({ benchmarks, onRun }: ISuiteFormProps): JSX.Element {
  const [open, setOpen] = usePersistent('suite', false);
  const target = useTarget('suite_kernel');
  const [other, setOther] = React.useState('');
  const [excluded, setExcluded] = React.useState<readonly string[]>([]);
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
      help: trans.__('Runs per benchmark, each in a new process.')
    },
    {
      ...NUMBER,
      name: 'minutes',
      label: trans.__('Time limit (min)'),
      help: trans.__('A round that would exceed it does not start.')
    }
  ];
  const problems = fields.map(each => problemOf(each, typed[each.name]));
  const chosen = benchmarks.filter(each => !excluded.includes(each.name));
  const submit = (event: React.FormEvent) => {
    event.preventDefault();
    onRun({
      benchmarks: excluded.length > 0 ? chosen.map(each => each.name) : [],
      kernel_names: [target.kernel, other].filter(Boolean),
      device: target.device,
      rounds: Number(typed.rounds),
      budget_seconds: 60 * Number(typed.minutes)
    });
  };
  return (
    <details className="jp-GpuPerf-more" data-form="suite" open={open}>
      <Fold open={open} onChange={setOpen}>
        {trans.__('Suite in one or two kernels')}
      </Fold>
      <form className="jp-GpuPerf-form" onSubmit={submit} noValidate>
        <Note>
          {trans.__(
            'Runs the benchmarks that suit this machine. Two kernels alternate (A B B A …), so that drift affects both alike.'
          )}
        </Note>
        {target.kernelChoice}
        <Choice
          name="suite_other"
          label={trans.__('Compare with')}
          help={trans.__('Second environment, for comparison.')}
          value={other}
          options={[['', trans.__('none')], ...target.kernels]}
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
                checked={!excluded.includes(name)}
                onChange={event =>
                  setExcluded(
                    event.target.checked
                      ? excluded.filter(each => each !== name)
                      : [...excluded, name]
                  )
                }
              />
              {trans.__(label)}
            </label>
          ))}
          <Button
            type="button"
            onClick={() =>
              setExcluded(
                excluded.length > 0 ? [] : benchmarks.map(each => each.name)
              )
            }
          >
            {excluded.length > 0 ? trans.__('All') : trans.__('None')}
          </Button>
        </More>
        <button
          className="jp-mod-styled jp-mod-accept"
          type="submit"
          disabled={
            chosen.length === 0 || problems.some(problem => problem !== null)
          }
        >
          {trans.__('Run suite')}
        </button>
      </form>
    </details>
  );
}
