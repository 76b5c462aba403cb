import * as React from 'react';

import type { JobInfo } from '../api/generated';
import { trans } from '../translation';

interface IProgressProps {
  readonly of: Pick<JobInfo, 'state' | 'progress_ratio' | 'remaining_seconds'>;
  readonly name: string;
  /** What it does now, or what it waits for. */
  readonly words: string;
  onCancel(): void;
}

/** How far a job or a suite is, how long it still takes where that can be said, and what ends it. */
export function Progress(props: IProgressProps): JSX.Element {
  const { of, name, words, onCancel } = props;
  const left = of.remaining_seconds ?? null;
  return (
    <div className="jp-GpuPerf-progress">
      <progress
        max={1}
        value={of.state === 'queued' ? undefined : of.progress_ratio}
        aria-label={trans.__('Progress of %1', name)}
      />
      <button
        className="jp-mod-styled"
        aria-label={trans.__('Cancel %1', name)}
        onClick={onCancel}
      >
        {trans.__('Cancel')}
      </button>
      <div className="jp-GpuPerf-note">
        <span aria-live="polite">{words}</span>
        {/* Not in the live region: a countdown read out aloud would never end. */}
        <span className="jp-GpuPerf-left">
          {left === null ? '' : trans.__('up to %1 left', spanInWords(left))}
        </span>
      </div>
    </div>
  );
}

/** A span of time to wait, no finer than it is known: `8 s`, `2 min`, `1 h 20 min`. */
export function spanInWords(seconds: number): string {
  if (seconds < 90) {
    return `${Math.max(1, Math.ceil(seconds))} s`;
  }
  const minutes = Math.round(seconds / 60);
  return minutes < 90
    ? `${minutes} min`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
