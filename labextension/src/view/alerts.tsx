import * as React from 'react';

import type { Alert } from '../api/generated';
import type { LiveModel } from '../model/live';
import { trans } from '../translation';
import { said } from './said';

export const SIGNS: Record<Alert['severity'], string> = {
  info: 'ⓘ',
  warning: '⚠',
  critical: '✕'
};

/** What needs attention now; nothing at all when nothing does. */
export function Alerts(props: { live: LiveModel }): JSX.Element | null {
  const { live } = props;
  if (live.alerts.length === 0) {
    return null;
  }
  return (
    <ul className="jp-GpuPerf-alerts" aria-label={trans.__('Alerts')}>
      {live.alerts.map(alert => (
        <li
          key={`${alert.code} ${alert.device}`}
          data-alert={alert.code}
          data-severity={alert.severity}
        >
          <span
            className="jp-GpuPerf-sign"
            role="img"
            aria-label={severityInWords(alert.severity)}
          >
            {SIGNS[alert.severity]}
          </span>
          <div>
            <strong>
              {placeOf(alert, live)}
              {said(alert.summary)}
            </strong>
            <p className="jp-GpuPerf-note">{said(alert.advice)}</p>
          </div>
        </li>
      ))}
    </ul>
  );
}

/** Which device it is about, where there are several and its words do not begin with it: `GPU 3: `. */
export function placeOf(
  alert: Pick<Alert, 'device' | 'summary'>,
  live: LiveModel
): string {
  const devices = live.devices?.devices ?? [];
  const device = devices.find(each => each.uuid === alert.device);
  return device &&
    devices.length > 1 &&
    !alert.summary.startsWith(`GPU ${device.index} `)
    ? trans.__('%1: %2', trans.__('GPU %1', device.index), '')
    : '';
}

/** How bad it is. */
export function severityInWords(severity: Alert['severity']): string {
  const words: Record<Alert['severity'], string> = {
    info: trans.__('Note'),
    warning: trans.__('Warning'),
    critical: trans.__('Critical')
  };
  return words[severity];
}
