import { UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { RecordingInfo } from '../api/generated';
import { formatBytes, plain } from '../format';
import type { RecordingsModel } from '../model/recordings';
import { trans } from '../translation';
import type { IPanelContext } from './context';
import { ageInWords } from './processes';
import { Problem } from './refusal';
import { Section } from './section';

/** More than these would push all else away; the folder has them all. */
const MOST_SHOWN = 8;

/** Record the readings, and what was recorded. Folded at first: most people never need it. */
export function RecordingsSection(context: IPanelContext): JSX.Element {
  const { recordings, state } = context;
  return (
    <UseSignal signal={recordings.changed}>
      {() => (
        <Section
          id="recordings"
          title={trans.__('Recordings')}
          note={noteOf(recordings)}
          state={state}
          initiallyOpen={false}
        >
          <Recordings {...context} />
        </Section>
      )}
    </UseSignal>
  );
}

function noteOf(recordings: RecordingsModel): string | undefined {
  if (recordings.running) {
    return trans.__('● recording');
  }
  const count = recordings.recordings.length;
  return count > 0 ? String(count) : undefined;
}

function Recordings({ recordings, confirm }: IPanelContext): JSX.Element {
  const { running } = recordings;
  const shown = recordings.recordings.slice(0, MOST_SHOWN);
  const remaining = recordings.recordings.length - shown.length;
  return (
    <>
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
          <Recording
            key={each.id}
            recording={each}
            url={recordings.downloadUrl(each.id)}
            discard={async () => {
              if (
                await confirm(
                  trans.__('Delete the recording?'),
                  trans.__('The file %1 is deleted.', each.path),
                  trans.__('Delete')
                )
              ) {
                await recordings.discard(each.id);
              }
            }}
          />
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
    </>
  );
}

function Recording(props: {
  recording: RecordingInfo;
  url: string;
  discard: () => void;
}): JSX.Element {
  const { recording, url, discard } = props;
  const began = new Date(1000 * recording.started_seconds);
  const name = recording.label || began.toLocaleString();
  return (
    <li data-recording={recording.id} data-state={recording.state}>
      <strong title={recording.path}>{name}</strong>
      <span className="jp-GpuPerf-note">
        {ageInWords(recording.duration_seconds)} ·{' '}
        {plain(formatBytes(recording.size_bytes))}
      </span>
      {recording.state === 'recording' ? null : (
        <span className="jp-GpuPerf-actions">
          <a
            className="jp-mod-styled"
            href={url}
            download
            aria-label={trans.__('Download the recording %1', name)}
          >
            {trans.__('Download')}
          </a>
          <button
            className="jp-mod-styled"
            onClick={discard}
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
