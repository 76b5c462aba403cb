import type { RecordingInfo } from '../api/generated';
import { formatAge, formatQuantity } from '../format';
import { trans } from '../translation';
import { usePanel } from './context';
import { ErrorLine } from './errors';
import { Section } from './section';
import { Button, Note } from './elements';

/** How many recordings are listed, to save space; the folder contains all of them. */
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
      summary={running ? trans.__('● recording') : all.length || undefined}
      initiallyOpen={false}
      help="recordings"
    >
      <Button
        data-action={running ? 'stop' : 'record'}
        onClick={() =>
          void (running ? recordings.stop(running.id) : recordings.start())
        }
      >
        {running ? trans.__('Stop') : trans.__('Record')}
      </Button>
      <ErrorLine error={recordings.error} role="alert" />
      {shown.length === 0 ? (
        <Note>
          {trans.__('Saves all readings at 10 Hz, for replay on any machine.')}
        </Note>
      ) : null}
      <ul className="jp-GpuPerf-recordings">
        {shown.map(each => (
          <Recording key={each.id} recording={each} />
        ))}
      </ul>
      {remaining > 0 ? (
        <Note>{trans.__('and %1 older', remaining)}</Note>
      ) : null}
    </Section>
  );
}

function Recording(props: { recording: RecordingInfo }): JSX.Element {
  const { recording } = props;
  const { recordings, rest, confirm } = usePanel();
  const discard = async () => {
    const isSure = await confirm(
      trans.__('Delete recording?'),
      trans.__('This deletes the file %1.', recording.path),
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
        {formatQuantity(recording.size_bytes, 'bytes')}
      </span>
      {recording.state === 'recording' ? null : (
        <span className="jp-GpuPerf-actions">
          <a
            className="jp-mod-styled"
            href={rest.recordingUrl(recording.id)}
            download
            aria-label={trans.__('Download recording %1', name)}
          >
            {trans.__('Download')}
          </a>
          <Button
            onClick={() => void discard()}
            aria-label={trans.__('Delete recording %1', name)}
          >
            {trans.__('Delete')}
          </Button>
        </span>
      )}
      <ErrorLine error={recording.error} />
    </li>
  );
}
