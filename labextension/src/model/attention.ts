import { Signal } from '@lumino/signaling';

import type {
  Alert,
  AlertsChanged,
  Finding,
  FindingsChanged,
  UndecidedCauses
} from '../api/generated';
import type { Rest } from '../api/rest';

/** The server sends these messages between readings. */
export type AttentionMessage = AlertsChanged | FindingsChanged;

const RANKS: readonly Finding['severity'][] = ['info', 'warning', 'critical'];

/** What needs the user's attention: alerts, and findings that were not dismissed. */
export class Attention {
  /** Alerts or findings appeared, disappeared, or were dismissed. */
  readonly changed = new Signal<this, void>(this);
  alerts: readonly Alert[] = [];
  /** The causes that can't be decided on a device, for lack of readings. */
  undecided: readonly UndecidedCauses[] = [];

  private all: readonly Finding[] = [];
  /** The severity of a finding when it was dismissed. */
  private readonly dismissed = new Map<string, number>();

  /** The findings to show, without those that an alert already reports. */
  get findings(): readonly Finding[] {
    return this.all.filter(
      each => !each.alert && !this.dismissed.has(keyOf(each))
    );
  }

  take(message: AttentionMessage): void {
    if (message.type === 'alerts') {
      this.alerts = message.alerts;
    } else {
      this.all = message.findings;
      this.undecided = message.undecided ?? [];
      this.recall();
    }
    this.changed.emit();
  }

  /** Request both lists by REST, while the live socket does not work. */
  async fetch(rest: Rest): Promise<void> {
    this.take(await rest.alerts());
    this.take(await rest.findings());
  }

  /** Hide a finding until it recurs or worsens. */
  dismiss(finding: Finding): void {
    this.dismissed.set(keyOf(finding), rankOf(finding));
    this.changed.emit();
  }

  private recall(): void {
    const ranks = new Map(this.all.map(each => [keyOf(each), rankOf(each)]));
    for (const [key, rank] of this.dismissed) {
      const now = ranks.get(key);
      if (now === undefined || now > rank) {
        this.dismissed.delete(key);
      }
    }
  }
}

/** The key that identifies an alert or a finding. */
export function keyOf(finding: Pick<Alert, 'code' | 'device'>): string {
  return `${finding.code} ${finding.device}`;
}

function rankOf(finding: Finding): number {
  return RANKS.indexOf(finding.severity);
}
