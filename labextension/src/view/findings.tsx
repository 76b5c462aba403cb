import { UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Finding } from '../api/generated';
import { formatReading, grouped, labelOf, unitOf } from '../format';
import { trans, translated } from '../translation';
import { isUrgent } from './alertdot';
import { placeOf, severityInWords, SIGNS } from './alerts';
import { Code } from './code';
import type { IPanelContext } from './context';
import { said } from './said';
import { Section } from './section';

/** Why the work is slow; nothing at all when nothing stands out. */
export function FindingsSection(context: IPanelContext): JSX.Element {
  const { live, state } = context;
  return (
    <UseSignal signal={live.attention.changed}>
      {() => {
        const { findings } = live.attention;
        const urgent = findings.filter(isUrgent);
        const notes = findings.filter(each => !isUrgent(each));
        return findings.length === 0 ? null : (
          <Section
            id="findings"
            title={trans.__('Findings')}
            note={urgent.length > 0 ? String(urgent.length) : undefined}
            state={state}
          >
            <ul className="jp-GpuPerf-findings">
              {urgent.map(each => (
                <Card key={keyOf(each)} finding={each} {...context} />
              ))}
            </ul>
            <Notes findings={notes} {...context} />
          </Section>
        );
      }}
    </UseSignal>
  );
}

/** What is worth knowing and no fault: folded. */
function Notes(
  props: IPanelContext & { findings: readonly Finding[] }
): JSX.Element | null {
  const { findings } = props;
  return findings.length === 0 ? null : (
    <details className="jp-GpuPerf-all" data-part="notes">
      <summary>{trans._n('%1 note', '%1 notes', findings.length)}</summary>
      <ul className="jp-GpuPerf-findings">
        {findings.map(each => (
          <Card key={keyOf(each)} {...props} finding={each} />
        ))}
      </ul>
    </details>
  );
}

type Shown = 'evidence' | 'fix' | null;

function Card(props: IPanelContext & { finding: Finding }): JSX.Element {
  const { finding, live } = props;
  const [shown, setShown] = React.useState<Shown>(null);
  const toggle = (part: Shown) => setShown(shown === part ? null : part);
  return (
    <li data-finding={finding.code} data-severity={finding.severity}>
      <span
        className="jp-GpuPerf-sign"
        role="img"
        aria-label={severityInWords(finding.severity)}
      >
        {SIGNS[finding.severity]}
      </span>
      <div>
        <strong>
          {placeOf(finding, live)}
          {said(finding.summary)}
        </strong>
        <p className="jp-GpuPerf-note">{noteOf(finding)}</p>
        <div className="jp-GpuPerf-findingActions">
          <Toggle
            open={shown === 'evidence'}
            label={trans.__('Show evidence')}
            action="evidence"
            onClick={() => toggle('evidence')}
          />
          <Toggle
            open={shown === 'fix'}
            label={trans.__('Fix')}
            action="fix"
            onClick={() => toggle('fix')}
          />
          <button
            className="jp-mod-styled"
            data-action="dismiss"
            title={trans.__(
              'Hide it until it is gone and comes again, or gets worse'
            )}
            onClick={() => live.attention.dismiss(finding)}
          >
            {trans.__('Dismiss')}
          </button>
        </div>
        {shown === 'evidence' ? <Evidence {...props} /> : null}
        {shown === 'fix' ? <Fix {...props} /> : null}
      </div>
    </li>
  );
}

function Toggle(props: {
  open: boolean;
  label: string;
  action: string;
  onClick(): void;
}): JSX.Element {
  return (
    <button
      className="jp-mod-styled"
      data-action={props.action}
      aria-expanded={props.open}
      onClick={props.onClick}
    >
      {props.label}
    </button>
  );
}

function Evidence({
  finding
}: IPanelContext & { finding: Finding }): JSX.Element {
  return (
    <div data-part="evidence">
      <dl className="jp-GpuPerf-evidence">
        {Object.entries(finding.evidence).map(([name, value]) => (
          <div key={name} data-evidence={name}>
            <dt>{labelOf(name, translated)}</dt>
            <dd>{valueInWords(name, value)}</dd>
          </div>
        ))}
      </dl>
      <p className="jp-GpuPerf-note">
        {trans.__('What would refute it: %1', said(finding.refuted_by))}
      </p>
    </div>
  );
}

function Fix(props: IPanelContext & { finding: Finding }): JSX.Element {
  const { finding, insertCode } = props;
  const { change } = finding;
  return (
    <div data-part="fix">
      <p>{said(finding.advice)}</p>
      {change === null ? null : <Code code={change} insertCode={insertCode} />}
    </div>
  );
}

/** What it costs, whose it is, and how sure it is. */
function noteOf(finding: Finding): string {
  return [
    finding.cost === null ? null : said(finding.cost).replace(/[.。]$/, ''),
    finding.notebook,
    finding.confidence === 'confirmed'
      ? trans.__('confirmed')
      : trans.__('suspected from the driver’s readings'),
    finding.code
  ]
    .filter(part => part !== null)
    .join(' · ');
}

function valueInWords(name: string, value: number | string): string {
  if (typeof value === 'string') {
    return value === 'unknown' ? trans.__('unknown') : value;
  }
  const unit = unitOf(name);
  if (name.endsWith('_count')) {
    return value.toFixed(0);
  }
  if (unit === '' || unit === 'per_second') {
    return grouped(value) + (unit === '' ? '' : '/s');
  }
  const figure = formatReading(value, unit);
  return `${figure.text} ${figure.unit}`.trim();
}

function keyOf(finding: Finding): string {
  return `${finding.code} ${finding.device}`;
}
