import * as React from 'react';

import { isActive } from '../model/jobs';
import type { IPanelContext } from './context';
import { BenchmarkForm } from './form';
import { Job } from './job';
import { Section } from './section';

/** Choose a benchmark, run it, see it through. */
export function BenchmarksSection({
  jobs,
  trans,
  state,
  kernelspecs
}: IPanelContext): JSX.Element {
  const [chosen, setChosen] = React.useState('');
  const benchmark =
    jobs.benchmarks.find(each => each.name === chosen) ?? jobs.benchmarks[0];
  const specs = Object.values(kernelspecs.specs?.kernelspecs ?? {});
  const kernels = Object.fromEntries(
    specs.flatMap(spec =>
      spec?.language === 'python' ? [[spec.name, spec.display_name]] : []
    )
  );
  const active = jobs.jobs.filter(isActive).length;
  const note =
    active > 0
      ? trans._n('%1 running', '%1 running or waiting', active)
      : undefined;
  return (
    <Section
      id="benchmarks"
      title={trans.__('Benchmarks')}
      note={note}
      state={state}
    >
      {benchmark ? (
        <BenchmarkForm
          key={benchmark.name}
          benchmark={benchmark}
          kernels={kernels}
          defaultKernel={kernelspecs.specs?.default ?? ''}
          trans={trans}
          state={state}
          onRun={request => void jobs.run(request)}
        >
          <select
            className="jp-mod-styled"
            name="benchmark"
            aria-label={trans.__('Benchmark')}
            value={benchmark.name}
            onChange={event => setChosen(event.target.value)}
          >
            {jobs.benchmarks.map(each => (
              <option key={each.name} value={each.name}>
                {trans.__(each.label)}
              </option>
            ))}
          </select>
        </BenchmarkForm>
      ) : null}
      {jobs.refusal ? (
        <div
          className="jp-GpuPerf-failure"
          data-error={jobs.refusal.code}
          role="alert"
        >
          <p>{jobs.refusal.message}</p>
          {jobs.refusal.hint ? (
            <p className="jp-GpuPerf-note">{jobs.refusal.hint}</p>
          ) : null}
        </div>
      ) : null}
      {jobs.jobs.map(job => (
        <Job
          key={job.id}
          job={job}
          trans={trans}
          onCancel={() => void jobs.cancel(job.id)}
        />
      ))}
    </Section>
  );
}
