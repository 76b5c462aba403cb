import type { Alert } from '../api/generated';
import { keyOf } from './attention';
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
    private readonly notify: (alert: Alert) => void,
    private readonly now: () => number = Date.now
  ) {
    live.changed.connect(() => this.report(live.alerts));
  }

  private report(alerts: readonly Alert[]): void {
    for (const alert of alerts) {
      const key = keyOf(alert);
      const reportedAt = this.reportedAt.get(key) ?? -Infinity;
      if (
        this.enabled &&
        alert.severity !== 'info' &&
        this.now() - reportedAt >= REPEAT_MS
      ) {
        this.reportedAt.set(key, this.now());
        this.notify(alert);
      }
    }
  }
}
