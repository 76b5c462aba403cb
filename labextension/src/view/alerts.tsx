import type { Alert } from '../api/generated';
import type { Alike } from '../model/attention';
import type { LiveModel } from '../model/live';
import { trans } from '../translation';

export const SIGNS: Record<Alert['severity'], string> = {
  info: 'ⓘ',
  warning: '⚠',
  critical: '✕'
};

/** The sign of a severity, with a text for screen readers. */
export function Sign(props: { label: string; children: string }): JSX.Element {
  return (
    <span className="jp-GpuPerf-sign" role="img" aria-label={props.label}>
      {props.children}
    </span>
  );
}

/** Whom a summary is about, unless it says so or there is only one device: `GPU 3: `, `4 GPUs: `. */
export function devicePrefix(group: Alike, live: LiveModel): string {
  const [first] = group;
  const device = formatDevices([first], live);
  const name = group.length > 1 ? trans.__('%1 GPUs', group.length) : device;
  return name &&
    live.deviceList.length > 1 &&
    !first.summary.startsWith(`${device} `)
    ? trans.__('%1: %2', name, '')
    : '';
}

/** `GPU 0, 2, 5`; empty if no device is known. */
export function formatDevices(group: Alike, live: LiveModel): string {
  const indices = group.flatMap(
    each =>
      live.deviceList.find(({ uuid }) => uuid === each.device)?.index ?? []
  );
  return indices.length > 0 ? trans.__('GPU %1', indices.join(', ')) : '';
}

/** The name of a severity, for people. */
export function formatSeverity(severity: Alert['severity']): string {
  const names: Record<Alert['severity'], string> = {
    info: trans.__('Note'),
    warning: trans.__('Warning'),
    critical: trans.__('Critical')
  };
  return names[severity];
}
