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

const MOST_RECENT = 3;

/** Choose one or many benchmarks, run them, and follow their progress. */
export function BenchmarksSection(): JSX.Element {
  const { jobs } = usePanel();
  const [chosen, setChosen] = React.useState('');
  const benchmark =
    jobs.benchmarks.find(each => each.name === chosen) ?? jobs.benchmarks[0];
  const active = jobs.jobs.filter(isActive).length;
  const summary = active > 0 ? trans.__('%1 active', active) : undefined;
  // Latest first; running and queued entries are never folded. A suite shows its own jobs.
  const all = [...jobs.jobs.filter(job => !job.suite), ...jobs.suites].sort(
    (a, b) => b.created_seconds - a.created_seconds
  );
  const recent = all.filter((each, i) => isActive(each) || i < MOST_RECENT);
  const older = all.filter(each => !recent.includes(each));
  const newest = all.find(each => !isActive(each));
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
    <Section id="benchmarks" title={trans.__('Benchmarks')} summary={summary}>
      {benchmark ? (
        <>
          <BenchmarkForm
            key={benchmark.name}
            benchmark={benchmark}
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
      <ErrorDetails error={jobs.requestError ?? jobs.error} role="alert" />
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
