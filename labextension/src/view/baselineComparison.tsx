import * as React from 'react';

import type { EnvironmentChange, ResultComparison } from '../api/generated';
import { attempt, RequestError } from '../api/rest';
import { labelOf } from '../format';
import { trans, translated } from '../translation';
import { formatChange, formatRatio } from './changed';
import { usePanel } from './context';
import { ErrorLine } from './errors';
import { useRequest } from './request';
import { Rows } from './rows';
import { More } from './section';
import { HistoryList, Trend, formatWhen } from './trend';
import { Note } from './elements';

export interface IBaselineComparison {
  readonly comparison: ResultComparison | null;
  readonly error: RequestError | null;
  /** Whether the user chose the other result. */
  readonly chosen: boolean;
  compare(other: number): void;
  mark(id: number): void;
}

/** Request a stored result's comparison from the server, as soon as it is needed. */
export function useBaselineComparison(
  id: number | null,
  needed: boolean
): IBaselineComparison {
  const { rest } = usePanel();
  const [other, setOther] = React.useState<number | null>(null);
  const [turn, setTurn] = React.useState(0);
  const { answer, error, setError } = useRequest(
    () => (id === null || !needed ? null : rest.comparison(id, other)),
    [rest, id, needed, other, turn]
  );
  const mark = async (baseline: number) => {
    const error = await attempt(() => rest.markBaseline(baseline));
    setError(error);
    if (error === null) {
      setOther(null);
      setTurn(turn + 1);
    }
  };
  return {
    comparison: answer,
    error,
    chosen: other !== null,
    compare: setOther,
    mark: each => void mark(each)
  };
}

/** A result compared with another one, and its place among similar results. */
export function BaselineComparison(props: IBaselineComparison): JSX.Element {
  const { comparison, error } = props;
  const figure = Object.keys(comparison?.history[0]?.figures ?? {})[0];
  const past = comparison &&
    figure && {
      history: comparison.history,
      figure,
      current: comparison.id,
      against: comparison.against?.id ?? null
    };
  return (
    <div className="jp-GpuPerf-comparison">
      <ErrorLine error={error} role="alert" />
      {comparison === null ? null : (
        <div aria-live="polite">
          <Against {...props} comparison={comparison} />
        </div>
      )}
      {past ? (
        <>
          <Trend {...past} />
          <HistoryList
            {...past}
            onCompare={props.compare}
            onBaseline={props.mark}
          />
        </>
      ) : null}
    </div>
  );
}

function Against(props: {
  comparison: ResultComparison;
  chosen: boolean;
}): JSX.Element {
  const { comparison, chosen } = props;
  const { against } = comparison;
  if (against === null) {
    return <Note>{trans.__('No earlier result to compare with.')}</Note>;
  }
  const when = formatWhen(against.created_seconds);
  const differs = comparison.figures.some(each =>
    ['better', 'worse'].includes(each.verdict)
  );
  return (
    <>
      <Note>
        {against.baseline
          ? trans.__('Compared with the baseline of %1:', when)
          : chosen
            ? trans.__('Compared with the selected result of %1:', when)
            : trans.__('Compared with the previous result from %1:', when)}
      </Note>
      <ul className="jp-GpuPerf-changes">
        {comparison.figures.map(each => (
          <li
            key={each.figure}
            data-change={each.figure}
            data-verdict={each.verdict}
            title={formatRatio(each)}
          >
            {labelOf(each.figure, translated)}:{' '}
            <strong>{formatChange(each)}</strong>
            {['better', 'worse'].includes(each.verdict)
              ? `, ${trans.__('intervals don’t overlap')}`
              : null}
          </li>
        ))}
      </ul>
      {differs ? (
        <Note>{trans.__('Single runs vary; use a suite to compare.')}</Note>
      ) : null}
      <EnvironmentChanges changes={comparison.environment} />
    </>
  );
}

/** The differences between two environments. */
export function EnvironmentChanges(props: {
  changes: readonly EnvironmentChange[];
}): JSX.Element | null {
  const { changes } = props;
  return changes.length === 0 ? null : (
    <More
      title={trans._n(
        '%1 environment difference',
        '%1 environment differences',
        changes.length
      )}
    >
      <Rows rows={changes.map(each => [each.name, each.before, each.after])} />
    </More>
  );
}
