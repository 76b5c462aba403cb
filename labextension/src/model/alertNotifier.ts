import type { Alert } from '../api/generated';
import { Alike, groupsOf, keyOf } from './attention';
import type { LiveModel } from './live';

/** The same alert is not reported again before this time. */
const REPEAT_MS = 10 * 60 * 1000;

/** Reports an alert when it appears, but not each time it flickers. */
export class AlertNotifier {
  /** Whether alerts are reported. */
  enabled = true;

  private readonly reportedAt = new Map<string, number>();

  constructor(
    live: LiveModel,
    private readonly notify: (alerts: Alike<Alert>) => void,
    private readonly now: () => number = Date.now
  ) {
    live.changed.connect(() => this.report(live.alerts));
  }

  private report(alerts: readonly Alert[]): void {
    const due = alerts.filter(
      alert =>
        this.enabled &&
        alert.severity !== 'info' &&
        this.now() - (this.reportedAt.get(keyOf(alert)) ?? -Infinity) >=
          REPEAT_MS
    );
    for (const alert of due) {
      this.reportedAt.set(keyOf(alert), this.now());
    }
    // One notification for the same alert of several devices.
    groupsOf(due).forEach(this.notify);
  }
}
