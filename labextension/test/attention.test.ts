import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Finding } from '../src/api/generated';
import { Attention } from '../src/model/attention';

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
  attention.dismiss(attention.findings[0]);
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
  attention.dismiss(attention.findings[0]);
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
  attention.dismiss(attention.findings[0]);
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
