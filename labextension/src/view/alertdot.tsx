import * as React from 'react';

import type { Alert, Finding } from '../api/generated';
import { trans } from '../translation';

type IUrgent = Pick<Alert, 'severity'>;

/** Each severity has its own shape: colour is never the only distinction. */
const SHAPES = {
  none: <circle cx="6" cy="6" r="2.5" />,
  warning: <path d="M6 1 L11.5 10.5 L0.5 10.5 Z" />,
  critical: <path d="M6 0 L12 6 L6 12 L0 6 Z" />
};

/** A dot whose shape and colour show that something needs attention. */
export function AlertDot(props: {
  alerts: readonly Alert[];
  findings: readonly Finding[];
}): JSX.Element {
  const alerts = props.alerts.filter(isUrgent);
  const findings = props.findings.filter(isUrgent);
  const all: IUrgent[] = [...alerts, ...findings];
  const isCritical = all.some(each => each.severity === 'critical');
  const severity =
    all.length === 0 ? 'none' : isCritical ? 'critical' : 'warning';
  const label = [formatAlerts(alerts.length), formatFindings(findings.length)]
    .filter(Boolean)
    .join(', ');
  return (
    <span
      className="jp-GpuPerf-dot"
      data-severity={severity}
      role={label ? 'img' : undefined}
      aria-label={label || undefined}
      aria-hidden={label ? undefined : true}
    >
      <svg viewBox="0 0 12 12">{SHAPES[severity]}</svg>
    </span>
  );
}

/** Whether an alert or a finding is more than a note. */
export function isUrgent(alert: IUrgent): boolean {
  return alert.severity !== 'info';
}

/** `2 alerts`; null if there are none. */
export function formatAlerts(count: number): string | null {
  return count === 0 ? null : trans._n('%1 alert', '%1 alerts', count);
}

/** `2 findings`; null if there are none. */
export function formatFindings(count: number): string | null {
  return count === 0 ? null : trans._n('%1 finding', '%1 findings', count);
}
