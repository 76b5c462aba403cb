import type { KernelSpec } from '@jupyterlab/services';
import * as React from 'react';

import type { JobInfo, SuiteInfo } from '../api/generated';
import { isActive } from '../model/jobs';
import { trans } from '../translation';
import type { IPanelContext } from './context';
import { BenchmarkForm, Select } from './form';
import { Job } from './job';
import { Failure } from './refusal';
import { More, Section } from './section';
import { SuiteForm } from './suiteform';
import { Suite } from './suites';

const RECENT = 3;

/** Choose a benchmark or many, run them, see them through. */
export function BenchmarksSection({
  live,
  jobs,
  rest,
  state,
  kernelspecs,
  insertCode
}: IPanelContext): JSX.Element {
  const [chosen, setChosen] = React.useState('');
  const benchmark =
    jobs.benchmarks.find(each => each.name === chosen) ?? jobs.benchmarks[0];
  const kernels = pythonsOf(kernelspecs);
  // Nothing can be measured on a recording.
  const devices = (live.devices?.devices ?? []).filter(
    each => !each.replayed && !each.host
  );
  const refusal = jobs.refusal ?? jobs.trouble;
  const active = jobs.jobs.filter(isActive).length;
  const note =
    active > 0
      ? trans._n('%1 running', '%1 running or waiting', active)
      : undefined;
  // Newest first; what runs or waits is never folded away. A suite shows its own jobs.
  const all = [...jobs.jobs.filter(job => !job.suite), ...jobs.suites].sort(
    (a, b) => b.created_seconds - a.created_seconds
  );
  const recent = all.filter((each, i) => isActive(each) || i < RECENT);
  const older = all.filter(each => !recent.includes(each));
  const newest = all.find(each => !isActive(each));
  const show = (each: JobInfo | SuiteInfo): JSX.Element => {
    const isNewest = isActive(each) || each === newest;
    return 'sides' in each ? (
      <Suite
        key={each.id}
        suite={each}
        rest={rest}
        isNewest={isNewest}
        onCancel={() => void jobs.cancelSuite(each.id)}
      />
    ) : (
      <Job
        key={each.id}
        job={each}
        jobs={jobs.jobs}
        rest={rest}
        isNewest={isNewest}
        insertCode={insertCode}
        onCancel={() => void jobs.cancel(each.id)}
      />
    );
  };
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
          defaultKernel={defaultOf(kernelspecs, kernels)}
          devices={devices}
          state={state}
          onRun={request => void jobs.run(request)}
        >
          <Select
            name="benchmark"
            label={trans.__('Benchmark')}
            value={benchmark.name}
            options={jobs.benchmarks.map(({ name, label }) => [
              name,
              trans.__(label)
            ])}
            onChange={setChosen}
          />
        </BenchmarkForm>
      ) : null}
      {benchmark ? (
        <SuiteForm
          benchmarks={jobs.benchmarks}
          kernels={kernels}
          defaultKernel={defaultOf(kernelspecs, kernels)}
          devices={devices}
          state={state}
          onRun={request => void jobs.runSuite(request)}
        />
      ) : null}
      <Failure error={refusal} role="alert" />
      {recent.map(show)}
      {older.length > 0 ? (
        <More
          title={trans._n('%1 earlier run', '%1 earlier runs', older.length)}
        >
          {older.map(show)}
        </More>
      ) : null}
    </Section>
  );
}

/** The Python kernels: name → what people call it. */
export function pythonsOf(
  manager: KernelSpec.IManager
): Record<string, string> {
  const specs = Object.values(manager.specs?.kernelspecs ?? {});
  return Object.fromEntries(
    specs.flatMap(spec =>
      spec?.language === 'python' ? [[spec.name, spec.display_name]] : []
    )
  );
}

/** The server's default kernel where that is a Python, else the first that is. */
function defaultOf(
  manager: KernelSpec.IManager,
  kernels: Record<string, string>
): string {
  const wished = manager.specs?.default ?? '';
  return wished in kernels ? wished : (Object.keys(kernels)[0] ?? '');
}
