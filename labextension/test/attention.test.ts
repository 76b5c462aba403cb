import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Signal } from '@lumino/signaling';

import type { Finding } from '../src/api/generated';
import { AlertNotifier } from '../src/model/alertNotifier';
import { Attention } from '../src/model/attention';
import type { LiveModel } from '../src/model/live';

function finding(
  code: string,
  severity: Finding['severity'] = 'warning',
  device = 'GPU-0'
): Finding {
  return { code, severity, device } as Finding;
}

function receive(attention: Attention, ...findings: Finding[]): string[] {
  attention.take({ type: 'findings', findings });
  return attention.findings.map(each => `${each.code} ${each.severity}`);
}

test('a dismissed finding stays hidden until it recurs', () => {
  const attention = new Attention();
  receive(attention, finding('input-bound'), finding('launch-bound'));
  attention.dismiss(attention.findings.slice(0, 1));
  assert.deepEqual(
    attention.findings.map(each => each.code),
    ['launch-bound']
  );
  assert.deepEqual(receive(attention, finding('input-bound')), []);
  assert.deepEqual(receive(attention), []);
  assert.deepEqual(receive(attention, finding('input-bound')), [
    'input-bound warning'
  ]);
});

test('a dismissed finding that worsens is shown again', () => {
  const attention = new Attention();
  receive(attention, finding('input-bound'));
  attention.dismiss(attention.findings.slice(0, 1));
  assert.deepEqual(receive(attention, finding('input-bound', 'critical')), [
    'input-bound critical'
  ]);
});

test('a finding that an alert already reports is not repeated', () => {
  const attention = new Attention();
  const here = finding('memory-nearly-full');
  const elsewhere = finding('memory-nearly-full', 'warning', 'GPU-1');
  receive(attention, { ...here, alert: 'memory_nearly_full' }, elsewhere);
  assert.deepEqual(
    attention.findings.map(each => each.device),
    ['GPU-1']
  );
  receive(attention, { ...here, alert: null }, elsewhere);
  assert.equal(attention.findings.length, 2);
});

test('views are notified when a finding is dismissed', () => {
  const attention = new Attention();
  let changes = 0;
  attention.changed.connect(() => (changes += 1));
  receive(attention, finding('input-bound'));
  attention.dismiss(attention.findings.slice(0, 1));
  assert.equal(changes, 2);
});

test('the causes that a device can not decide are those of the last message', () => {
  const attention = new Attention();
  const undecided = [
    {
      device: 'GPU-0',
      codes: ['tensor-cores-idle'],
      metrics: ['tensor_active_percent'],
      summary: 'No readings of Tensor cores.'
    }
  ];
  attention.take({ type: 'findings', findings: [], undecided });
  assert.deepEqual(attention.undecided, undecided);
  receive(attention);
  assert.deepEqual(attention.undecided, []);
});

test('findings that are alike are one group, the most severe first', () => {
  const attention = new Attention();
  const suspected = {
    ...finding('launch-bound', 'critical', 'GPU-5'),
    confidence: 'suspected' as const
  };
  receive(
    attention,
    finding('input-bound', 'warning', 'GPU-0'),
    finding('launch-bound', 'critical', 'GPU-1'),
    finding('input-bound', 'critical', 'GPU-2'),
    finding('input-bound', 'warning', 'GPU-3'),
    suspected
  );
  const devices = attention.groups.map(group =>
    group.map(each => `${each.code} ${each.device}`)
  );
  assert.deepEqual(devices, [
    ['launch-bound GPU-1'],
    ['input-bound GPU-2'],
    ['launch-bound GPU-5'],
    ['input-bound GPU-0', 'input-bound GPU-3']
  ]);
});

test('what was dismissed is counted, and can be shown again', () => {
  const attention = new Attention();
  const both = [finding('a'), finding('a', 'warning', 'GPU-1')];
  receive(attention, ...both, finding('b'));
  attention.dismiss(both);
  assert.equal(attention.dismissedCount, 1);
  assert.equal(attention.groups.length, 1);
  attention.undismiss();
  assert.equal(attention.dismissedCount, 0);
  assert.equal(attention.groups.length, 2);
});

test('the same alert of several devices is one notification', () => {
  const attention = new Attention();
  const changed = new Signal<object, void>({});
  const live = {
    changed,
    get alerts() {
      return attention.alerts;
    }
  } as unknown as LiveModel;
  const notified: number[] = [];
  const notifier = new AlertNotifier(live, alerts =>
    notified.push(alerts.length)
  );
  const alerts = [finding('hot'), finding('hot', 'warning', 'GPU-1')];
  attention.take({ type: 'alerts', alerts });
  changed.emit();
  changed.emit();
  assert.deepEqual(notified, [2]);
  assert.equal(notifier.enabled, true);
});
