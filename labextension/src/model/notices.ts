import type { Alert } from '../api/generated';
import { keyOf } from './attention';
import type { LiveModel } from './live';

/** Time before the same alert is reported again. */
const SILENCE_MS = 10 * 60 * 1000;

/** Reports each alert once when it appears, not each time it flickers. */
export class Notices {
  /** Whether alerts are reported. */
  enabled = true;

  private readonly toldAt = new Map<string, number>();

  constructor(
    live: LiveModel,
    private readonly tell: (alert: Alert) => void,
    private readonly now: () => number = Date.now
  ) {
    live.changed.connect(() => this.look(live.alerts));
  }

  private look(alerts: readonly Alert[]): void {
    for (const alert of alerts) {
      const key = keyOf(alert);
      const toldAt = this.toldAt.get(key) ?? -Infinity;
      if (
        this.enabled &&
        alert.severity !== 'info' &&
        this.now() - toldAt >= SILENCE_MS
      ) {
        this.toldAt.set(key, this.now());
        this.tell(alert);
      }
    }
  }
}
