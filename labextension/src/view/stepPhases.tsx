import * as React from 'react';

import type { LoopSteps } from '../api/generated';
import { trans } from '../translation';
import { Note } from './elements';

/** Smaller shares are left out. */
const SMALLEST = 0.005;

/** The phases of a step: of the GPU's time or, without a GPU, of the host's. */
export function StepPhases({
  steps
}: {
  readonly steps: LoopSteps;
}): JSX.Element | null {
  const phases = Object.entries(steps.phases ?? {});
  const onGpu = phases.some(([, each]) => typeof each.gpu_seconds === 'number');
  const times = phases.map(
    ([name, each]) =>
      [name, (onGpu ? each.gpu_seconds : each.host_seconds) ?? 0] as const
  );
  const whole = times.reduce((sum, [, seconds]) => sum + seconds, 0);
  const labels: Record<string, string> = {
    data: trans.__('data'),
    copy: trans.__('copy'),
    forward: trans.__('forward'),
    backward: trans.__('backward'),
    optimizer: trans.__('optimizer'),
    other: trans.__('other')
  };
  const parts = times
    .filter(([, seconds]) => seconds > SMALLEST * whole)
    .map(
      ([name, seconds]) =>
        `${labels[name]} ${((100 * seconds) / whole).toFixed(0)} %`
    );
  return parts.length === 0 ? null : (
    <>
      <Note data-phases={onGpu ? 'gpu' : 'host'}>{parts.join(' · ')}</Note>
      {(steps.host_lines ?? []).map(({ function: name, file, line, ratio }) => (
        <Note key={`${name} ${file}`} data-host-line={line} title={file}>
          {name === '<module>' ? null : (
            <>
              <code>{name}</code> ·{' '}
            </>
          )}
          {trans.__('line %1: host %2 %', line, (100 * ratio).toFixed(0))}
        </Note>
      ))}
    </>
  );
}
