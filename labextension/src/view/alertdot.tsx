import type { Alert } from '../api/generated';
import { Alike, isFinding } from '../model/attention';
import { trans } from '../translation';

type IUrgent = Pick<Alert, 'severity'>;

/** Each severity has its own shape: colour is never the only distinction. */
const SHAPES = {
  none: <circle cx="6" cy="6" r="2.5" />,
  warning: <path d="M6 1 L11.5 10.5 L0.5 10.5 Z" />,
  critical: <path d="M6 0 L12 6 L6 12 L0 6 Z" />
};

/** A dot whose shape and colour show that something needs attention. */
export function AlertDot(props: { groups: readonly Alike[] }): JSX.Element {
  const urgent = props.groups.filter(([each]) => isUrgent(each));
  const [[worst] = []] = urgent;
  const severity =
    worst?.severity === 'critical' ? 'critical' : worst ? 'warning' : 'none';
  const label = formatCounts(urgent);
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

/** `1 alert, 2 findings`; empty if there are none. */
export function formatCounts(groups: readonly Alike[]): string {
  const findings = groups.filter(([each]) => isFinding(each)).length;
  const alerts = groups.length - findings;
  return [
    alerts > 0 ? trans._n('%1 alert', '%1 alerts', alerts) : '',
    findings > 0 ? trans._n('%1 finding', '%1 findings', findings) : ''
  ]
    .filter(Boolean)
    .join(trans._p('between counts', ', '));
}
