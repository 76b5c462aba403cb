import * as React from 'react';

import type { LoopSteps } from '../api/generated';
import { splitOf } from '../model/training';
import { trans } from '../translation';
import { Note } from './elements';

interface IPart {
  readonly part: 'busy' | 'data' | 'rest';
  readonly label: string;
}

/** The parts of a step, from the bottom of the band up; none if nothing is known. */
export function formatSplit(steps: LoopSteps): IPart[] {
  const { busy, data, host, source } = splitOf(steps);
  const percent = (share: number) => (100 * share).toFixed(0);
  if (data === null) {
    return busy === null
      ? []
      : [
          { part: 'busy', label: trans.__('GPU busy %1 %', percent(busy)) },
          { part: 'rest', label: trans.__('GPU idle %1 %', percent(1 - busy)) }
        ];
  }
  if (source === 'host') {
    return [
      { part: 'data', label: trans.__('waiting for data %1 %', percent(data)) },
      { part: 'rest', label: trans.__('other %1 %', percent(1 - data)) }
    ];
  }
  const waiting = {
    part: 'data' as const,
    label: trans.__('GPU waiting for data %1 %', percent(data))
  };
  return busy === null || host === null
    ? [
        waiting,
        {
          part: 'rest',
          label: trans.__('busy or waiting for host %1 %', percent(1 - data))
        }
      ]
    : [
        { part: 'busy', label: trans.__('GPU busy %1 %', percent(busy)) },
        waiting,
        {
          part: 'rest',
          label: trans.__('GPU waiting for host %1 %', percent(host))
        }
      ];
}

/** The band's legend, with the current figures. */
export function Split({ steps }: { readonly steps: LoopSteps }): JSX.Element {
  const onGpu =
    (steps.bounded_by ?? 'loader') !== 'loader'
      ? steps.device_uuid !== null
      : steps.idle_for_data_ratio !== null;
  return (
    <>
      <ul className="jp-GpuPerf-split">
        {formatSplit(steps).map(({ part, label }) => (
          <li key={part} data-part={part}>
            {label}
          </li>
        ))}
      </ul>
      {!onGpu ? (
        <Note>{trans.__('CPU timing only (CUDA not used)')}</Note>
      ) : steps.busy_ratio === null ? (
        <Note>{trans.__('GPU utilization not available')}</Note>
      ) : null}
    </>
  );
}
