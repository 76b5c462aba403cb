import * as React from 'react';

import type { SuiteInfo, SuiteReport } from '../api/generated';
import { trans } from '../translation';
import {
  formatBoth,
  formatChange,
  formatFigureName,
  formatRatio,
  formatSettings
} from './changed';
import { usePanel } from './context';
import { Run } from './progress';
import { formatError } from './errors';
import { useRequest } from './request';
import { Figures, Warnings } from './result';
import { More } from './section';
import { EnvironmentChanges } from './baselineComparison';
import { Note } from './elements';

interface ISuiteProps {
  readonly suite: SuiteInfo;
  readonly isNewest: boolean;
}

/** One suite: its results so far. */
export function Suite({ suite, isNewest }: ISuiteProps): JSX.Element {
  const [open, setOpen] = React.useState(isNewest);
  const measured = suite.sides.every(side => side.result_ids.length > 0);
  const titles = suite.sides.map(side => side.title);
  const skipped = suite.sides.flatMap(side =>
    side.failures.map(each => ({ ...each, title: side.title }))
  );
  const rounds = trans.__('%1 of %2 rounds', suite.rounds_done, suite.rounds);
  return (
    <Run
      data-suite={suite.id}
      run={suite}
      details={`${titles.join(' ⇄ ')} · ${rounds}`}
    >
      {suite.state === 'done' && suite.rounds_done < suite.rounds ? (
        <Note>
          {trans.__(
            'Stopped early: another round would exceed the time limit.'
          )}
        </Note>
      ) : null}
      {measured ? (
        <More
          title={
            titles.length > 1 ? trans.__('Comparison') : trans.__('Results')
          }
          open={open}
          onChange={setOpen}
        >
          <SuiteResults suite={suite} />
        </More>
      ) : null}
      {skipped.length > 0 ? (
        <More title={trans.__('%1 skipped', skipped.length)}>
          {skipped.map(({ title, benchmark, error }) => (
            <p key={`${title} ${benchmark}`} data-skipped={benchmark}>
              {titles.length > 1 ? `${title} · ${benchmark}` : benchmark}:{' '}
              {formatError(error)}
            </p>
          ))}
        </More>
      ) : null}
    </Run>
  );
}

/** The suite's results, requested again whenever there are more. */
function SuiteResults({ suite }: { suite: SuiteInfo }): JSX.Element | null {
  const { rest } = usePanel();
  const results = suite.sides.reduce(
    (sum, side) => sum + side.result_ids.length,
    0
  );
  // After an error, the next result triggers another request.
  const { answer: report } = useRequest(
    () => rest.suiteReport(suite.id),
    [rest, suite.id, suite.state, results]
  );
  if (report === null) {
    return null;
  }
  return (
    <>
      {report.comparison ? <Comparison comparison={report.comparison} /> : null}
      {report.results.map(result => (
        <details key={result.benchmark} data-benchmark={result.benchmark}>
          <summary>{result.benchmark}</summary>
          <Figures result={result} best={{}} />
          <Warnings result={result} />
        </details>
      ))}
      <div className="jp-GpuPerf-actions">
        <a
          className="jp-mod-styled"
          href={rest.suitePageUrl(suite.id)}
          download
        >
          {trans.__('Save as HTML')}
        </a>
      </div>
    </>
  );
}

function Comparison(props: {
  comparison: NonNullable<SuiteReport['comparison']>;
}): JSX.Element {
  const { comparison } = props;
  const { figures } = comparison;
  const count = (verdict: string) =>
    figures.filter(each => each.verdict === verdict).length;
  return (
    <>
      <p data-summary>
        {trans.__(
          '%1 better, %2 worse, %3 no difference, %4 inconclusive',
          count('better'),
          count('worse'),
          count('same'),
          count('unknown')
        )}
      </p>
      {comparison.rounds < 2 ? (
        <Note>
          {trans.__(
            'One round can’t show run-to-run variation. Use more rounds.'
          )}
        </Note>
      ) : null}
      <ul className="jp-GpuPerf-changes">
        {figures.map(each => (
          <li
            key={`${each.benchmark} ${each.figure} ${JSON.stringify(each.parameters)}`}
            data-change={each.figure}
            data-verdict={each.verdict}
            title={formatSettings(each.parameters)}
          >
            {formatFigureName(each)}: <strong>{formatChange(each)}</strong>
            <span className="jp-GpuPerf-note">
              {formatBoth(each)}
              {each.ratio.value > 0 ? ` · ${formatRatio(each)}` : ''}
            </span>
            <Warnings result={each} />
          </li>
        ))}
      </ul>
      <EnvironmentChanges changes={comparison.environment} />
    </>
  );
}
