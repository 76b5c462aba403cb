import * as React from 'react';

import type { RecordingInfo } from '../api/generated';
import { formatBytes, plain } from '../format';
import { trans } from '../translation';
import { usePanel } from './context';
import { formatAge } from './processes';
import { Problem } from './refusal';
import { Section } from './section';

/** More than these would take too much space; the folder contains all of them. */
const MOST_SHOWN = 8;

/** Record the readings, and list the recordings. Initially folded: most people never need it. */
export function RecordingsSection(): JSX.Element {
  const { recordings } = usePanel();
  const { running, recordings: all } = recordings;
  const shown = all.slice(0, MOST_SHOWN);
  const remaining = all.length - shown.length;
  return (
    <Section
      id="recordings"
      title={trans.__('Recordings')}
      note={running ? trans.__('● recording') : all.length || undefined}
      initiallyOpen={false}
    >
      <button
        className="jp-mod-styled"
        data-action={running ? 'stop' : 'record'}
        onClick={() =>
          void (running ? recordings.stop(running.id) : recordings.start())
        }
      >
        {running ? trans.__('Stop') : trans.__('Record')}
      </button>
      <Problem of={recordings.trouble} role="alert" />
      {shown.length === 0 ? (
        <p className="jp-GpuPerf-note">
          {trans.__(
            'A file with all readings, ten times a second, that replays in any install.'
          )}
        </p>
      ) : null}
      <ul className="jp-GpuPerf-recordings">
        {shown.map(each => (
          <Recording key={each.id} recording={each} />
        ))}
      </ul>
      {remaining > 0 ? (
        <p className="jp-GpuPerf-note">
          {trans._n(
            'and %1 older one',
            'and %1 older ones',
            remaining,
            remaining
          )}
        </p>
      ) : null}
    </Section>
  );
}

function Recording(props: { recording: RecordingInfo }): JSX.Element {
  const { recording } = props;
  const { recordings, rest, confirm } = usePanel();
  const discard = async () => {
    const isSure = await confirm(
      trans.__('Delete the recording?'),
      trans.__('The file %1 is deleted.', recording.path),
      trans.__('Delete')
    );
    if (isSure) {
      await recordings.discard(recording.id);
    }
  };
  const began = new Date(1000 * recording.started_seconds);
  const name = recording.label || began.toLocaleString();
  return (
    <li data-recording={recording.id} data-state={recording.state}>
      <strong title={recording.path}>{name}</strong>
      <span className="jp-GpuPerf-note">
        {formatAge(recording.duration_seconds)} ·{' '}
        {plain(formatBytes(recording.size_bytes))}
      </span>
      {recording.state === 'recording' ? null : (
        <span className="jp-GpuPerf-actions">
          <a
            className="jp-mod-styled"
            href={rest.recordingUrl(recording.id)}
            download
            aria-label={trans.__('Download the recording %1', name)}
          >
            {trans.__('Download')}
          </a>
          <button
            className="jp-mod-styled"
            onClick={() => void discard()}
            aria-label={trans.__('Delete the recording %1', name)}
          >
            {trans.__('Delete')}
          </button>
        </span>
      )}
      <Problem of={recording.error} />
    </li>
  );
}
