import * as React from 'react';

import type { SuiteInfo, SuiteReport } from '../api/generated';
import { attempt } from '../api/rest';
import { trans } from '../translation';
import {
  formatBoth,
  formatChange,
  formatFigure,
  formatRatio,
  formatSettings
} from './changed';
import { usePanel } from './context';
import { Run } from './progress';
import { formatTrouble } from './refusal';
import { Figures, Warnings } from './result';
import { translate, translateAll } from './translate';
import { More } from './section';
import { EnvironmentChanges } from './baselineComparison';

interface ISuiteProps {
  readonly suite: SuiteInfo;
  readonly isNewest: boolean;
}

/** One suite: its overall progress, and its results so far. */
export function Suite({ suite, isNewest }: ISuiteProps): JSX.Element {
  const { jobs } = usePanel();
  const [open, setOpen] = React.useState(isNewest);
  const measured = suite.sides.every(side => side.result_ids.length > 0);
  const titles = suite.sides.map(side => side.title);
  const left = suite.sides.flatMap(side =>
    side.failures.map(each => ({ ...each, title: side.title }))
  );
  const rounds = trans.__('%1 of %2 rounds', suite.rounds_done, suite.rounds);
  return (
    <Run
      data-suite={suite.id}
      of={suite}
      name={trans.__('Suite')}
      note={`${titles.join(' ⇄ ')} · ${rounds}`}
      words={translate(suite, 'progress_message')}
      onCancel={() => void jobs.cancelSuite(suite.id)}
    >
      {suite.state === 'done' && suite.rounds_done < suite.rounds ? (
        <p className="jp-GpuPerf-note">
          {trans.__('The time was up: another round would not have fitted.')}
        </p>
      ) : null}
      {measured ? (
        <More
          title={
            titles.length > 1 ? trans.__('Comparison') : trans.__('Results')
          }
          open={open}
          onChange={setOpen}
        >
          <Found suite={suite} />
        </More>
      ) : null}
      {left.length > 0 ? (
        <More title={trans._n('%1 left out', '%1 left out', left.length)}>
          {left.map(({ title, benchmark, error }) => (
            <p key={`${title} ${benchmark}`} data-left-out={benchmark}>
              {titles.length > 1 ? `${title} · ${benchmark}` : benchmark}:{' '}
              {formatTrouble(error)}
            </p>
          ))}
        </More>
      ) : null}
    </Run>
  );
}

/** The suite's results, requested again when there are more. */
function Found({ suite }: { suite: SuiteInfo }): JSX.Element | null {
  const { rest } = usePanel();
  const [report, setReport] = React.useState<SuiteReport | null>(null);
  const results = suite.sides.reduce(
    (sum, side) => sum + side.result_ids.length,
    0
  );
  React.useEffect(() => {
    let stale = false;
    void attempt(async () => {
      const found = await rest.suiteReport(suite.id);
      if (!stale) {
        setReport(found);
      }
    }); // the next result triggers another request
    return () => {
      stale = true;
    };
  }, [rest, suite.id, suite.state, results]);
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
          <Warnings of={result} />
        </details>
      ))}
      <div className="jp-GpuPerf-actions">
        <a
          className="jp-mod-styled"
          href={rest.suitePageUrl(suite.id)}
          download
        >
          {trans.__('Save as a page (HTML)')}
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
          '%1 better, %2 worse, %3 without a difference, %4 can’t be said.',
          count('better'),
          count('worse'),
          count('same'),
          count('unknown')
        )}
      </p>
      {comparison.rounds < 2 ? (
        <p className="jp-GpuPerf-note">
          {trans.__(
            'One round: how much runs differ without any cause is not known. Take more rounds.'
          )}
        </p>
      ) : null}
      <ul className="jp-GpuPerf-changes">
        {figures.map(each => (
          <li
            key={`${each.benchmark} ${each.figure} ${JSON.stringify(each.parameters)}`}
            data-change={each.figure}
            data-verdict={each.verdict}
            title={[
              formatSettings(each.parameters),
              ...translateAll(each, 'warnings')
            ]
              .filter(words => words !== '')
              .join('\n')}
          >
            {formatFigure(each)}: <strong>{formatChange(each)}</strong>
            <span className="jp-GpuPerf-note">
              {formatBoth(each)}
              {each.ratio.value > 0 ? ` · ${formatRatio(each)}` : ''}
              {each.warnings.length > 0 ? ' ⚠' : ''}
            </span>
          </li>
        ))}
      </ul>
      <EnvironmentChanges changes={comparison.environment} />
    </>
  );
}
