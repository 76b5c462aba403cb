import * as React from 'react';

import type { SuiteInfo, SuiteReport } from '../api/generated';
import type { Rest } from '../api/rest';
import { isActive } from '../model/jobs';
import { trans } from '../translation';
import {
  bothInWords,
  changeInWords,
  figureInWords,
  ratioInWords,
  settingsInWords
} from './changed';
import { stateInWords } from './job';
import { Progress } from './progress';
import { Failure, troubleInWords } from './refusal';
import { Figures } from './result';
import { said } from './said';
import { More } from './section';
import { EnvironmentChanges } from './standing';

interface ISuiteProps {
  readonly suite: SuiteInfo;
  readonly rest: Rest;
  readonly isNewest: boolean;
  onCancel(): void;
}

/** One suite: its progress over the whole, and what it found so far. */
export function Suite(props: ISuiteProps): JSX.Element {
  const { suite, rest, isNewest, onCancel } = props;
  const [open, setOpen] = React.useState(isNewest);
  const measured = suite.sides.every(side => side.result_ids.length > 0);
  const titles = suite.sides.map(side => side.title);
  const left = suite.sides.flatMap(side =>
    side.failures.map(each => ({ ...each, title: side.title }))
  );
  return (
    <article
      className="jp-GpuPerf-job"
      data-suite={suite.id}
      data-job-state={suite.state}
    >
      <header>
        <strong>{trans.__('Suite')}</strong>
        <span className="jp-GpuPerf-note">
          {titles.join(' ⇄ ')} ·{' '}
          {trans.__('%1 of %2 rounds', suite.rounds_done, suite.rounds)}
        </span>
        <span className="jp-GpuPerf-state">{stateInWords(suite.state)}</span>
      </header>
      {isActive(suite) ? (
        <Progress
          of={suite}
          name={trans.__('Suite')}
          words={said(suite.progress_message)}
          onCancel={onCancel}
        />
      ) : null}
      {suite.state === 'done' && suite.rounds_done < suite.rounds ? (
        <p className="jp-GpuPerf-note">
          {trans.__('The time was up: another round would not have fitted.')}
        </p>
      ) : null}
      <Failure error={suite.error ?? null} />
      {measured ? (
        <More
          title={
            titles.length > 1 ? trans.__('Comparison') : trans.__('Results')
          }
          open={open}
          onChange={setOpen}
        >
          <Found suite={suite} rest={rest} />
        </More>
      ) : null}
      {left.length > 0 ? (
        <More title={trans._n('%1 left out', '%1 left out', left.length)}>
          {left.map(({ title, benchmark, error }) => (
            <p key={`${title} ${benchmark}`} data-left-out={benchmark}>
              {titles.length > 1 ? `${title} · ${benchmark}` : benchmark}:{' '}
              {troubleInWords(error)}
            </p>
          ))}
        </More>
      ) : null}
    </article>
  );
}

/** What it found, asked for anew when there is more. */
function Found(props: Pick<ISuiteProps, 'suite' | 'rest'>): JSX.Element | null {
  const { suite, rest } = props;
  const [report, setReport] = React.useState<SuiteReport | null>(null);
  const results = suite.sides.reduce(
    (sum, side) => sum + side.result_ids.length,
    0
  );
  React.useEffect(() => {
    let stale = false;
    rest.suiteReport(suite.id).then(
      found => {
        if (!stale) {
          setReport(found);
        }
      },
      () => undefined // the next result asks again
    );
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
          {result.warnings.map(warning => (
            <p className="jp-GpuPerf-warning" key={warning}>
              {said(warning)}
            </p>
          ))}
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
              settingsInWords(each.parameters),
              ...each.warnings.map(words => said(words))
            ]
              .filter(words => words !== '')
              .join('\n')}
          >
            {figureInWords(each)}: <strong>{changeInWords(each)}</strong>
            <span className="jp-GpuPerf-note">
              {bothInWords(each)}
              {each.ratio.value > 0 ? ` · ${ratioInWords(each)}` : ''}
              {each.warnings.length > 0 ? ' ⚠' : ''}
            </span>
          </li>
        ))}
      </ul>
      <EnvironmentChanges changes={comparison.environment} />
    </>
  );
}
