import { Clipboard } from '@jupyterlab/apputils';
import * as React from 'react';

import type { BenchmarkResult, Interval } from '../api/generated';
import { labelOf } from '../format';
import { csvOf, markdownOf } from '../model/export';
import { roofsOf } from '../model/limits';
import { trans, translated } from '../translation';
import { Distribution } from './distribution';
import { Limit } from './limit';
import { Precision } from './precision';
import { Speedup } from './speedup';
import { Roofline } from './roofline';
import { Rows } from './rows';
import { translateAll } from './translate';
import { More } from './section';
import {
  BaselineComparison,
  useBaselineComparison
} from './baselineComparison';
import { Button } from './elements';
import { Value } from './value';

interface IResultProps {
  readonly result: BenchmarkResult;
  /** The result's number among the stored results; null if it was not stored. */
  readonly id: number | null;
  /** Whether this is the latest result, whose comparison is shown from the start. */
  readonly isNewest: boolean;
}

/** A measurement: each figure with its samples, limits and history. */
export function Result({ result, id, isNewest }: IResultProps): JSX.Element {
  const [open, setOpen] = React.useState(isNewest);
  const history = useBaselineComparison(id, open);
  const roofs = roofsOf(result);
  return (
    <>
      {result.speedup ? (
        <Speedup report={result.speedup} figures={result.figures} />
      ) : result.precision ? (
        <Precision profile={result.precision} />
      ) : (
        <Figures result={result} best={history.comparison?.best ?? {}} />
      )}
      <Warnings result={result} />
      <Exports result={result} />
      {id === null ? null : (
        <More
          title={trans.__('History and comparison')}
          open={open}
          onChange={setOpen}
        >
          <BaselineComparison {...history} />
        </More>
      )}
      {roofs.length > 0 ? (
        <More title={trans.__('Roofline')}>
          <Roofline roofs={roofs} />
        </More>
      ) : null}
      <More title={trans.__('Measured on')}>
        <Rows rows={Object.entries(result.environment)} />
      </More>
    </>
  );
}

export function Warnings(props: {
  result: Pick<BenchmarkResult, 'warnings' | 'warnings_message'>;
}): JSX.Element {
  return (
    <>
      {translateAll(props.result, 'warnings').map(warning => (
        <p className="jp-GpuPerf-warning" key={warning}>
          {warning}
        </p>
      ))}
    </>
  );
}

interface IFiguresProps {
  readonly result: BenchmarkResult;
  readonly best: Record<string, number>;
}

/** The figures, then the samples that belong to none of them. */
export function Figures({ result, best }: IFiguresProps): JSX.Element {
  const { figures, samples, limits } = result;
  const names = Object.keys(figures);
  const others = Object.keys(samples).filter(name => !(name in figures));
  return (
    <dl className="jp-GpuPerf-result">
      {[...names, ...others].map(name => {
        const interval: Interval | undefined = figures[name];
        const values = samples[name] ?? [];
        return (
          <div key={name} data-figure={name}>
            <dt>{labelOf(name, translated)}</dt>
            {interval ? (
              <Value name={name} interval={interval} count={values.length} />
            ) : null}
            {name in limits && interval ? (
              <dd className="jp-mod-wide">
                <Limit
                  name={name}
                  value={interval.value}
                  limit={limits[name]}
                  best={best[name]}
                />
              </dd>
            ) : null}
            {values.length > 0 ? (
              <dd className="jp-mod-wide">
                <Distribution
                  name={name}
                  samples={values}
                  interval={interval}
                />
              </dd>
            ) : null}
          </div>
        );
      })}
    </dl>
  );
}

function Exports(props: { result: BenchmarkResult }): JSX.Element {
  const { result } = props;
  const [copied, setCopied] = React.useState(false);
  const copy = () => {
    Clipboard.copyToSystem(
      markdownOf(
        result,
        translated,
        (share, limit) => trans.__('%1 of %2', share, limit),
        [
          trans.__('metric'),
          trans.__('value'),
          trans.__('95 % interval'),
          'n',
          trans.__('of the limit')
        ]
      )
    );
    setCopied(true);
  };
  const save = (ending: string, type: string, content: string) => () =>
    download(
      `gpuperf-${result.benchmark.replace(/[^\w-]+/g, '-')}.${ending}`,
      type,
      content
    );
  return (
    <div className="jp-GpuPerf-actions">
      <Button onClick={copy} onBlur={() => setCopied(false)}>
        {trans.__('Copy as Markdown')}
      </Button>
      <Button
        title={trans.__('Download the result')}
        onClick={save('json', 'application/json', JSON.stringify(result))}
      >
        {trans.__('JSON')}
      </Button>
      <Button
        title={trans.__('Download the samples')}
        onClick={save('csv', 'text/csv', csvOf(result))}
      >
        {trans.__('CSV')}
      </Button>
      {/* After all buttons, so that none moves away from under the pointer. */}
      <span className="jp-GpuPerf-note" role="status">
        {copied ? trans.__('Copied') : ''}
      </span>
    </div>
  );
}

function download(name: string, type: string, content: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  // Not immediately: the browser may not have started to read the data.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
