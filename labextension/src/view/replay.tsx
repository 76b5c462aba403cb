import type { LiveModel } from '../model/live';
import { trans } from '../translation';

type Source = Pick<LiveModel, 'version'>;

/** Whether the readings are those of a recording. */
export function isReplay({ version }: Source): boolean {
  return version?.source === 'replay';
}

/** The heading of the host's readings: a recorded host is not the one on which jobs run. */
export function hostName(live: Source): string {
  return isReplay(live) ? trans.__('Recorded host') : trans.__('Host');
}

/** Says that the readings are those of a recording; null if they are live. */
export function ReplayBadge(props: { live: Source }): JSX.Element | null {
  return isReplay(props.live) ? (
    <span className="jp-GpuPerf-badge">{trans.__('Recorded')}</span>
  ) : null;
}
