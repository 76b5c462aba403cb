import * as React from 'react';

import type { Alert, Finding } from '../api/generated';
import { keyOf } from '../model/attention';
import type { LiveModel } from '../model/live';
import { trans } from '../translation';
import { usePanel } from './context';
import { translate } from './translate';

const SIGNS: Record<Alert['severity'], string> = {
  info: 'ⓘ',
  warning: '⚠',
  critical: '✕'
};

/** What needs attention now; null if nothing does. */
export function Alerts(): JSX.Element | null {
  const { alerts } = usePanel().live;
  return alerts.length === 0 ? null : (
    <ul className="jp-GpuPerf-alerts" aria-label={trans.__('Alerts')}>
      {alerts.map(alert => (
        <Notice key={keyOf(alert)} data-alert={alert.code} of={alert}>
          <p className="jp-GpuPerf-note">{translate(alert, 'advice')}</p>
        </Notice>
      ))}
    </ul>
  );
}

/** An alert or a finding in a list: severity, device, summary, and the details below. */
export function Notice(
  props: React.HTMLAttributes<HTMLLIElement> & { of: Alert | Finding }
): JSX.Element {
  const { of, children, ...attributes } = props;
  const { live } = usePanel();
  return (
    <li {...attributes} data-severity={of.severity}>
      <Sign label={formatSeverity(of.severity)}>{SIGNS[of.severity]}</Sign>
      <div>
        <strong>
          {placeOf(of, live)}
          {translate(of, 'summary')}
        </strong>
        {children}
      </div>
    </li>
  );
}

/** A sign with a text for screen readers. */
export function Sign(props: { label: string; children: string }): JSX.Element {
  return (
    <span className="jp-GpuPerf-sign" role="img" aria-label={props.label}>
      {props.children}
    </span>
  );
}

/** The affected device, if there are several and the summary does not begin with it: `GPU 3: `. */
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

/** The severity in words. */
function formatSeverity(severity: Alert['severity']): string {
  const words: Record<Alert['severity'], string> = {
    info: trans.__('Note'),
    warning: trans.__('Warning'),
    critical: trans.__('Critical')
  };
  return words[severity];
}
