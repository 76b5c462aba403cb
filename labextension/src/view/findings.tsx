import * as React from 'react';

import type { Finding } from '../api/generated';
import { formatQuantity, grouped, labelOf, unitOf } from '../format';
import { keyOf } from '../model/attention';
import { trans, translated } from '../translation';
import { isUrgent } from './alertdot';
import { AlertItem } from './alerts';
import { Code } from './code';
import { usePanel } from './context';
import { translate } from './translate';
import { More, Section } from './section';
import { Button, Note } from './elements';

/** Why the work is slow; null if there are no findings. Findings that are only notes are folded. */
export function FindingsSection(): JSX.Element | null {
  const { findings, undecided } = usePanel().live.attention;
  const found = new Set(findings.map(each => each.device));
  const urgent = findings.filter(isUrgent);
  const notes = findings.filter(each => !isUrgent(each));
  const list = (all: readonly Finding[]) => (
    <ul className="jp-GpuPerf-findings">
      {all.map(each => (
        <Card key={keyOf(each)} finding={each} />
      ))}
    </ul>
  );
  return findings.length === 0 ? null : (
    <Section
      id="findings"
      title={trans.__('Findings')}
      summary={urgent.length || undefined}
    >
      {list(urgent)}
      {notes.length > 0 ? (
        <More
          data-part="notes"
          title={trans._n('%1 note', '%1 notes', notes.length)}
        >
          {list(notes)}
        </More>
      ) : null}
      {undecided
        .filter(each => found.has(each.device))
        .map(each => (
          <Note key={each.device} data-part="undecided">
            {translate(each, 'summary')}
          </Note>
        ))}
    </Section>
  );
}

interface IFindingProps {
  readonly finding: Finding;
}

function Card({ finding }: IFindingProps): JSX.Element {
  const { attention } = usePanel().live;
  const [shown, setShown] = React.useState('');
  const toggle = (part: string, label: string) => (
    <Button
      data-action={part}
      aria-expanded={shown === part}
      onClick={() => setShown(shown === part ? '' : part)}
    >
      {label}
    </Button>
  );
  return (
    <AlertItem data-finding={finding.code} item={finding}>
      <Note>{formatDetails(finding)}</Note>
      <div className="jp-GpuPerf-findingActions">
        {toggle('evidence', trans.__('Evidence'))}
        {toggle('fix', trans.__('Fix'))}
        <Button
          data-action="dismiss"
          title={trans.__('Hide until it recurs or worsens')}
          onClick={() => attention.dismiss(finding)}
        >
          {trans.__('Dismiss')}
        </Button>
      </div>
      {shown === 'evidence' ? <Evidence finding={finding} /> : null}
      {shown === 'fix' ? <Fix finding={finding} /> : null}
    </AlertItem>
  );
}

function Evidence({ finding }: IFindingProps): JSX.Element {
  return (
    <div data-part="evidence">
      <dl className="jp-GpuPerf-evidence">
        {Object.entries(finding.evidence).map(([name, value]) => (
          <div key={name} data-evidence={name}>
            <dt>{labelOf(name, translated)}</dt>
            <dd>{formatValue(name, value)}</dd>
          </div>
        ))}
      </dl>
      <Note>
        {trans.__('How to check it: %1', translate(finding, 'refuted_by'))}
      </Note>
    </div>
  );
}

function Fix({ finding }: IFindingProps): JSX.Element {
  return (
    <div data-part="fix">
      <p>{translate(finding, 'advice')}</p>
      {finding.change === null ? null : <Code code={finding.change} />}
    </div>
  );
}

/** A finding's cost, notebook, and confidence. */
function formatDetails(finding: Finding): string {
  return [
    finding.cost === null
      ? null
      : translate(finding, 'cost').replace(/[.。]$/, ''),
    finding.notebook,
    finding.confidence === 'confirmed'
      ? trans.__('confirmed')
      : trans.__('suspected from driver readings'),
    finding.code
  ]
    .filter(part => part !== null)
    .join(' · ');
}

function formatValue(name: string, value: number | string): string {
  if (typeof value === 'string') {
    return value === 'unknown' ? trans.__('unknown') : value;
  }
  const unit = unitOf(name);
  if (name.endsWith('_count')) {
    return value.toFixed(0);
  }
  return unit === '' || unit === 'per_second'
    ? grouped(value) + (unit && '/s')
    : formatQuantity(value, unit);
}
