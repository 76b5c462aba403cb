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

function told(attention: Attention, ...findings: Finding[]): string[] {
  attention.take({ type: 'findings', findings });
  return attention.findings.map(each => `${each.code} ${each.severity}`);
}

test('a dismissed finding stays away until it is gone and comes again', () => {
  const attention = new Attention();
  told(attention, finding('input-bound'), finding('launch-bound'));
  attention.dismiss(attention.findings[0]);
  assert.deepEqual(
    attention.findings.map(each => each.code),
    ['launch-bound']
  );
  assert.deepEqual(told(attention, finding('input-bound')), []);
  assert.deepEqual(told(attention), []);
  assert.deepEqual(told(attention, finding('input-bound')), [
    'input-bound warning'
  ]);
});

test('a dismissed finding that gets worse is shown again', () => {
  const attention = new Attention();
  told(attention, finding('input-bound'));
  attention.dismiss(attention.findings[0]);
  assert.deepEqual(told(attention, finding('input-bound', 'critical')), [
    'input-bound critical'
  ]);
});

test('what an alert says already is not said twice', () => {
  const attention = new Attention();
  const here = finding('memory-nearly-full');
  const elsewhere = finding('memory-nearly-full', 'warning', 'GPU-1');
  told(attention, { ...here, alert: 'memory_nearly_full' }, elsewhere);
  assert.deepEqual(
    attention.findings.map(each => each.device),
    ['GPU-1']
  );
  told(attention, { ...here, alert: null }, elsewhere);
  assert.equal(attention.findings.length, 2);
});

test('views hear of what is dismissed', () => {
  const attention = new Attention();
  let heard = 0;
  attention.changed.connect(() => (heard += 1));
  told(attention, finding('input-bound'));
  attention.dismiss(attention.findings[0]);
  assert.equal(heard, 2);
});
