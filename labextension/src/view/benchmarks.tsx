import * as React from 'react';

import type { JobInfo, SuiteInfo } from '../api/generated';
import { isActive } from '../model/jobs';
import { trans } from '../translation';
import { usePanel } from './context';
import { BenchmarkForm, Select } from './form';
import { Job } from './job';
import { ErrorDetails } from './errors';
import { Guard } from './guard';
import { More, Section } from './section';
import { SuiteForm } from './suiteform';
import { Suite } from './suites';

/** Choose one or many benchmarks, run them, and see their results. */
export function BenchmarksSection(): JSX.Element {
  const { jobs } = usePanel();
  const [chosen, setChosen] = React.useState('');
  const benchmark =
    jobs.benchmarks.find(each => each.name === chosen) ?? jobs.benchmarks[0];
  const { runs } = jobs;
  const active = runs.filter(isActive).length;
  const summary = active > 0 ? trans.__('%1 active', active) : undefined;
  // Latest first; what runs and the latest result are never folded.
  const newest = runs.find(each => !isActive(each));
  const recent = runs.filter(each => isActive(each) || each === newest);
  const older = runs.filter(each => !recent.includes(each));
  const show = (each: JobInfo | SuiteInfo): JSX.Element => {
    const isNewest = isActive(each) || each === newest;
    return 'sides' in each ? (
      <Suite key={each.id} suite={each} isNewest={isNewest} />
    ) : (
      <Guard key={each.id}>
        <Job job={each} isNewest={isNewest} />
      </Guard>
    );
  };
  return (
    <Section
      id="benchmarks"
      title={trans.__('Benchmarks')}
      summary={summary}
      help="benchmarks/index"
    >
      {benchmark ? (
        <>
          <BenchmarkForm
            key={benchmark.name}
            benchmark={benchmark}
            error={jobs.requestError ?? jobs.error}
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
          <SuiteForm
            benchmarks={jobs.benchmarks}
            onRun={request => void jobs.runSuite(request)}
          />
        </>
      ) : null}
      {benchmark ? null : <ErrorDetails error={jobs.error} role="alert" />}
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
