import * as React from 'react';

import type { Finding } from '../api/generated';
import { formatReading, grouped, labelOf, plain, unitOf } from '../format';
import { keyOf } from '../model/attention';
import { trans, translated } from '../translation';
import { isUrgent } from './alertdot';
import { Notice } from './alerts';
import { Code } from './code';
import { usePanel } from './context';
import { translate } from './translate';
import { More, Section } from './section';

/** Why the work is slow; null if there are no findings. Findings that are not problems are folded. */
export function FindingsSection(): JSX.Element | null {
  const { findings } = usePanel().live.attention;
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
      note={urgent.length || undefined}
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
    <button
      className="jp-mod-styled"
      data-action={part}
      aria-expanded={shown === part}
      onClick={() => setShown(shown === part ? '' : part)}
    >
      {label}
    </button>
  );
  return (
    <Notice data-finding={finding.code} of={finding}>
      <p className="jp-GpuPerf-note">{noteOf(finding)}</p>
      <div className="jp-GpuPerf-findingActions">
        {toggle('evidence', trans.__('Show evidence'))}
        {toggle('fix', trans.__('Fix'))}
        <button
          className="jp-mod-styled"
          data-action="dismiss"
          title={trans.__(
            'Hide it until it is gone and comes again, or gets worse'
          )}
          onClick={() => attention.dismiss(finding)}
        >
          {trans.__('Dismiss')}
        </button>
      </div>
      {shown === 'evidence' ? <Evidence finding={finding} /> : null}
      {shown === 'fix' ? <Fix finding={finding} /> : null}
    </Notice>
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
      <p className="jp-GpuPerf-note">
        {trans.__('What would refute it: %1', translate(finding, 'refuted_by'))}
      </p>
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

/** The cost, the notebook, and the confidence. */
function noteOf(finding: Finding): string {
  return [
    finding.cost === null
      ? null
      : translate(finding, 'cost').replace(/[.。]$/, ''),
    finding.notebook,
    finding.confidence === 'confirmed'
      ? trans.__('confirmed')
      : trans.__('suspected from the driver’s readings'),
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
    : plain(formatReading(value, unit));
}
