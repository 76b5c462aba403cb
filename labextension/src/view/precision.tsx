import * as React from 'react';

import type {
  Interval,
  PrecisionMode,
  PrecisionProfile
} from '../api/generated';
import { formatInterval, formatQuantity, plain } from '../format';
import { trans } from '../translation';
import { Code } from './code';
import { translate, translateAll } from './translate';

interface IPrecisionProps {
  readonly profile: PrecisionProfile;
}

const SIGNS: Record<string, string> = {
  within: '✓',
  close: '!',
  far: '✗',
  broken: '✗'
};

/** A cell in every precision mode: which to use, each mode's figures, what limits the gain, the code. */
export function Precision({ profile }: IPrecisionProps): JSX.Element {
  return (
    <div className="jp-GpuPerf-precision">
      <p>
        <strong>{translate(profile, 'sentence')}</strong>
      </p>
      <table>
        <thead>
          <tr>
            <th scope="col">{trans.__('Mode, peak memory')}</th>
            <th scope="col">{trans.__('Step')}</th>
            <th scope="col">{trans.__('Speedup')}</th>
          </tr>
        </thead>
        {profile.modes.map(each => (
          <Mode key={each.mode} mode={each} profile={profile} />
        ))}
      </table>
      <Sentences
        title={trans.__('Limits')}
        sentences={translateAll(profile, 'why_not_more')}
      />
      <Sentences
        title={trans.__('Next')}
        sentences={translateAll(profile, 'next_steps')}
      />
      {profile.code ? (
        <>
          <h4>{trans.__('Code for %1', profile.recommended ?? '')}</h4>
          <Code code={profile.code} />
        </>
      ) : null}
    </div>
  );
}

/** A mode's figures, and their limitations below. */
function Mode(props: IPrecisionProps & { mode: PrecisionMode }): JSX.Element {
  const { mode, profile } = props;
  const breakable = mode.mode.replace('+', '+\u200b'); // lets a narrow table wrap there
  const name =
    mode.mode === profile.now ? trans.__('%1 (now)', breakable) : breakable;
  const notes = mode.error ? translate(mode, 'error') : formatNotes(mode);
  return (
    <tbody
      data-mode={mode.mode}
      data-recommended={mode.mode === profile.recommended}
    >
      <tr>
        <th scope="row">
          {name}
          {mode.peak_bytes === null ? null : (
            <span className="jp-GpuPerf-note">
              {formatQuantity(mode.peak_bytes, 'bytes')}
            </span>
          )}
        </th>
        <Measured name="step_seconds" interval={mode.step_seconds} />
        <Measured name="speedup" interval={mode.speedup} />
      </tr>
      {notes === '' ? null : (
        <tr>
          <td
            className="jp-GpuPerf-note"
            colSpan={3}
            data-verdict={mode.error ? 'failed' : mode.verdict}
          >
            {notes}
          </td>
        </tr>
      )}
    </tbody>
  );
}

function Measured(props: {
  name: string;
  interval: Interval | null;
}): JSX.Element {
  const { name, interval } = props;
  if (interval === null) {
    return <td>–</td>;
  }
  const figure = formatInterval(name, interval);
  return (
    <td>
      <span className="jp-GpuPerf-number">{plain(figure)}</span>
      {interval.low < interval.high ? (
        <span className="jp-GpuPerf-note">{figure.range}</span>
      ) : null}
    </td>
  );
}

function formatNotes(mode: PrecisionMode): string {
  return [
    mode.verdict === 'reference'
      ? trans.__('reference')
      : `${SIGNS[mode.verdict ?? ''] ?? ''} ${translate(mode, 'numbers')}`,
    mode.compile_seconds === null
      ? ''
      : trans.__(
          'compiled in %1',
          formatQuantity(mode.compile_seconds, 'seconds')
        ),
    mode.steps_skipped > 0
      ? trans._n(
          'GradScaler skipped %1 step',
          'GradScaler skipped %1 steps',
          mode.steps_skipped
        )
      : ''
  ]
    .map(note => note.trim())
    .filter(Boolean)
    .join(' · ');
}

/** A list under a title; nothing if it is empty. */
export function Sentences(props: {
  title: string;
  sentences: readonly string[];
}): JSX.Element | null {
  const { title, sentences } = props;
  return sentences.length === 0 ? null : (
    <>
      <h4>{title}</h4>
      <ul>
        {sentences.map(each => (
          <li key={each}>{each}</li>
        ))}
      </ul>
    </>
  );
}
