import * as React from 'react';

import type { Alert, Finding } from '../api/generated';
import { keyOf } from '../model/attention';
import type { LiveModel } from '../model/live';
import { trans } from '../translation';
import { usePanel } from './context';
import { translate } from './translate';
import { Note } from './elements';

const SIGNS: Record<Alert['severity'], string> = {
  info: 'ⓘ',
  warning: '⚠',
  critical: '✕'
};

/** The current alerts; null if there are none. */
export function Alerts(): JSX.Element | null {
  const { alerts } = usePanel().live;
  return alerts.length === 0 ? null : (
    <ul className="jp-GpuPerf-alerts" aria-label={trans.__('Alerts')}>
      {alerts.map(alert => (
        <AlertItem key={keyOf(alert)} data-alert={alert.code} item={alert}>
          <Note>{translate(alert, 'advice')}</Note>
        </AlertItem>
      ))}
    </ul>
  );
}

/** An alert or a finding in a list: severity, device, summary, and the details below. */
export function AlertItem(
  props: React.HTMLAttributes<HTMLLIElement> & { item: Alert | Finding }
): JSX.Element {
  const { item, children, ...attributes } = props;
  const { live } = usePanel();
  return (
    <li {...attributes} data-severity={item.severity}>
      <Sign label={formatSeverity(item.severity)}>{SIGNS[item.severity]}</Sign>
      <div>
        <strong>
          {devicePrefix(item, live)}
          {translate(item, 'summary')}
        </strong>
        {children}
      </div>
    </li>
  );
}

/** The sign of a severity, with a text for screen readers. */
export function Sign(props: { label: string; children: string }): JSX.Element {
  return (
    <span className="jp-GpuPerf-sign" role="img" aria-label={props.label}>
      {props.children}
    </span>
  );
}

/** The affected device, if there are several and the summary does not begin with it: `GPU 3: `. */
export function devicePrefix(
  alert: Pick<Alert, 'device' | 'summary'>,
  live: LiveModel
): string {
  const device = live.deviceList.find(each => each.uuid === alert.device);
  return device &&
    live.deviceList.length > 1 &&
    !alert.summary.startsWith(`GPU ${device.index} `)
    ? trans.__('%1: %2', trans.__('GPU %1', device.index), '')
    : '';
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
