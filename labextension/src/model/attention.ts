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

/** The same alert or finding of one or more devices. */
export type Alike<T = Alert | Finding> = readonly [T, ...T[]];

/** Whether this is a finding; an alert has only some of its fields. */
export function isFinding(each: Alert | Finding): each is Finding {
  return 'confidence' in each;
}

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

  /** Alerts, then findings, each with all its devices; the most severe first. */
  get groups(): readonly Alike[] {
    return groupsOf<Alert | Finding>([...this.alerts, ...this.findings]);
  }

  /** The number of findings that are hidden. */
  get dismissedCount(): number {
    const hidden = this.all.filter(each => this.dismissed.has(keyOf(each)));
    return groupsOf(hidden).length;
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

  /** Hide findings until they recur or worsen. */
  dismiss(findings: readonly Finding[]): void {
    for (const each of findings) {
      this.dismissed.set(keyOf(each), rankOf(each));
    }
    this.changed.emit();
  }

  /** Show all dismissed findings again. */
  undismiss(): void {
    this.dismissed.clear();
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

/** What findings on several devices have in common that are shown as one: what holds of one holds of all. */
export function alikeOf(each: Alert | Finding): string {
  const confidence = 'confidence' in each ? each.confidence : '';
  return `${each.code} ${each.severity} ${confidence}`;
}

/** Alerts or findings that are alike as groups; the most severe first. */
export function groupsOf<T extends Alert | Finding>(
  all: readonly T[]
): Alike<T>[] {
  const groups = new Map<string, [T, ...T[]]>();
  for (const each of [...all].sort((a, b) => rankOf(b) - rankOf(a))) {
    const group = groups.get(alikeOf(each));
    if (group === undefined) {
      groups.set(alikeOf(each), [each]);
    } else {
      group.push(each);
    }
  }
  return [...groups.values()];
}

function rankOf({ severity }: Pick<Finding, 'severity'>): number {
  return RANKS.indexOf(severity);
}
