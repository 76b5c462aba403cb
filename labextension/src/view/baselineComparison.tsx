import * as React from 'react';

import type { EnvironmentChange, ResultComparison } from '../api/generated';
import { attempt, Refusal } from '../api/rest';
import { labelOf } from '../format';
import { trans, translated } from '../translation';
import { formatChange, formatRatio } from './changed';
import { usePanel } from './context';
import { Problem } from './refusal';
import { Rows } from './rows';
import { More } from './section';
import { HistoryList, Trend, formatWhen } from './trend';

export interface IBaselineComparison {
  readonly comparison: ResultComparison | null;
  readonly trouble: Refusal | null;
  /** Whether the user chose the other result. */
  readonly chosen: boolean;
  compare(other: number): void;
  mark(id: number): void;
}

/** Request a stored result's comparison from the server, once it is needed. */
export function useBaselineComparison(
  id: number | null,
  wanted: boolean
): IBaselineComparison {
  const { rest } = usePanel();
  const [comparison, setComparison] = React.useState<ResultComparison | null>(
    null
  );
  const [trouble, setTrouble] = React.useState<Refusal | null>(null);
  const [other, setOther] = React.useState<number | null>(null);
  const [turn, setTurn] = React.useState(0);
  React.useEffect(() => {
    if (id === null || !wanted) {
      return;
    }
    let stale = false;
    void attempt(async () => {
      const found = await rest.comparison(id, other);
      if (!stale) {
        setComparison(found);
      }
    }).then(refusal => stale || setTrouble(refusal));
    return () => {
      stale = true;
    };
  }, [rest, id, wanted, other, turn]);
  const mark = async (baseline: number) => {
    const refusal = await attempt(() => rest.markBaseline(baseline));
    setTrouble(refusal);
    if (refusal === null) {
      setOther(null);
      setTurn(turn + 1);
    }
  };
  return {
    comparison,
    trouble,
    chosen: other !== null,
    compare: setOther,
    mark: each => void mark(each)
  };
}

/** A result compared with another one, and among similar ones. */
export function BaselineComparison(props: IBaselineComparison): JSX.Element {
  const { comparison, trouble } = props;
  const figure = Object.keys(comparison?.history[0]?.figures ?? {})[0];
  const past = comparison &&
    figure && {
      history: comparison.history,
      figure,
      current: comparison.id,
      against: comparison.against?.id ?? null
    };
  return (
    <div className="jp-GpuPerf-standing">
      <Problem of={trouble} role="alert" />
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
    return (
      <p className="jp-GpuPerf-note">
        {trans.__(
          'Nothing to hold it against yet: the next one like it will be.'
        )}
      </p>
    );
  }
  const when = formatWhen(against.created_seconds);
  const differs = comparison.figures.some(each =>
    ['better', 'worse'].includes(each.verdict)
  );
  return (
    <>
      <p className="jp-GpuPerf-note">
        {against.baseline
          ? trans.__('Against the baseline of %1:', when)
          : chosen
            ? trans.__('Against the chosen one of %1:', when)
            : trans.__('Against the one before, of %1:', when)}
      </p>
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
              ? `, ${trans.__('intervals part')}`
              : null}
          </li>
        ))}
      </ul>
      {differs ? (
        <p className="jp-GpuPerf-note">
          {trans.__(
            'One run each: runs differ by themselves. A suite in rounds tells them apart.'
          )}
        </p>
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
        '%1 difference in the environment',
        '%1 differences in the environment',
        changes.length
      )}
    >
      <Rows rows={changes.map(each => [each.name, each.before, each.after])} />
    </More>
  );
}
