import * as React from 'react';

import type { Finding } from '../api/generated';
import { formatQuantity, grouped, labelOf, unitOf } from '../format';
import { Alike, alikeOf, isFinding, keyOf } from '../model/attention';
import type { LiveModel } from '../model/live';
import { trans, translated } from '../translation';
import { isUrgent } from './alertdot';
import {
  devicePrefix,
  formatDevices,
  formatSeverity,
  Sign,
  SIGNS
} from './alerts';
import { Code } from './code';
import { usePanel } from './context';
import { Button, Help, Note } from './elements';
import { Section } from './section';
import { translate } from './translate';

/**
 * What needs attention: one in full, all others as a line each. So the place keeps its height, and
 * what is below moves by no more than a line.
 */
export function FindingsSection(): JSX.Element {
  const { live } = usePanel();
  const { attention } = live;
  const { groups, dismissedCount, undecided } = attention;
  const [chosen, setChosen] = React.useState('');
  const urgent = groups.filter(([each]) => isUrgent(each));
  const open =
    groups.find(([each]) => alikeOf(each) === chosen) ??
    // Its severity may have changed.
    groups.find(([each]) => each.code === chosen.split(' ')[0]) ??
    urgent[0] ??
    null;
  return (
    <Section
      id="findings"
      title={trans.__('Findings')}
      summary={urgent.length}
      help="findings/index"
    >
      <ul className="jp-GpuPerf-findings">
        {open === null ? (
          <li className="jp-GpuPerf-note">
            {live.deviceList.length > 0
              ? trans.__('Nothing found that slows the GPU down.')
              : '–'}
          </li>
        ) : null}
        {groups.map(group => (
          <Item
            key={alikeOf(group[0])}
            group={group}
            open={group === open}
            onToggle={() => setChosen(group === open ? '' : alikeOf(group[0]))}
          />
        ))}
      </ul>
      {dismissedCount > 0 ? (
        <button
          className="jp-GpuPerf-line"
          data-action="undismiss"
          onClick={() => attention.undismiss()}
        >
          {trans.__('%1 dismissed: show again', dismissedCount)}
        </button>
      ) : null}
      {[...new Set(undecided.map(each => translate(each, 'summary')))].map(
        text => (
          <Note key={text} title={text} data-part="undecided">
            {text}
          </Note>
        )
      )}
    </Section>
  );
}

interface IItemProps {
  readonly group: Alike;
  readonly open: boolean;
  onToggle(): void;
}

/** A line with severity, device and summary; when open, with what to do. */
function Item({ group, open, onToggle }: IItemProps): JSX.Element {
  const { live } = usePanel();
  const [part, setPart] = React.useState('');
  const [first] = group;
  const { code, severity } = first;
  const text = devicePrefix(group, live) + translate(first, 'summary');
  return (
    <li
      data-severity={severity}
      data-open={open && !part}
      {...{ [isFinding(first) ? 'data-finding' : 'data-alert']: code }}
    >
      <button
        className="jp-GpuPerf-line"
        aria-expanded={open}
        title={text}
        onClick={onToggle}
      >
        <Sign label={formatSeverity(severity)}>{SIGNS[severity]}</Sign>
        <strong>{text}</strong>
      </button>
      {!open ? null : isFinding(first) ? (
        <Details
          group={group as Alike<Finding>}
          part={part}
          onPart={name => setPart(part === name ? '' : name)}
        />
      ) : (
        <Note>
          {translate(group[0], 'advice')}{' '}
          <Help page="reference/alerts" about={code} />
        </Note>
      )}
    </li>
  );
}

interface IDetailsProps {
  readonly group: Alike<Finding>;
  /** The part that is shown: `evidence`, `fix` or none. */
  readonly part: string;
  onPart(name: string): void;
}

function Details({ group, part, onPart }: IDetailsProps): JSX.Element {
  const { live } = usePanel();
  const [{ code }] = group;
  const toggle = (name: string, label: string) => (
    <Button
      data-action={name}
      aria-expanded={part === name}
      onClick={() => onPart(name)}
    >
      {label}
    </Button>
  );
  const facts = formatFacts(group, live);
  return (
    <>
      <Note title={facts}>{facts}</Note>
      <div className="jp-GpuPerf-findingActions">
        {toggle('evidence', trans.__('Evidence'))}
        {toggle('fix', trans.__('Fix'))}
        <Button
          data-action="dismiss"
          title={trans.__('Hide until it recurs or worsens')}
          onClick={() => live.attention.dismiss(group)}
        >
          {trans.__('Dismiss')}
        </Button>
        <Help page={`reference/findings/${code}`} about={code} />
      </div>
      {part === 'evidence' ? <Evidence group={group} /> : null}
      {part === 'fix' ? <Fix group={group} /> : null}
    </>
  );
}

interface IGroupProps {
  readonly group: Alike<Finding>;
}

function Evidence({ group }: IGroupProps): JSX.Element {
  const { live } = usePanel();
  return (
    <div data-part="evidence">
      {group.map(finding => (
        <React.Fragment key={keyOf(finding)}>
          {group.length > 1 ? (
            <strong>{formatDevices([finding], live)}</strong>
          ) : null}
          <dl className="jp-GpuPerf-evidence">
            {Object.entries(finding.evidence).map(([name, value]) => (
              <div key={name} data-evidence={name}>
                <dt>{labelOf(name, translated)}</dt>
                <dd>{formatValue(name, value)}</dd>
              </div>
            ))}
          </dl>
        </React.Fragment>
      ))}
      <Note>
        {trans.__('How to check it: %1', translate(group[0], 'refuted_by'))} (
        {group[0].code})
      </Note>
    </div>
  );
}

/** What to do; the same for several devices is said once. */
function Fix({ group }: IGroupProps): JSX.Element {
  const fixes = new Map(
    group.map(each => [`${each.advice} ${each.change}`, each])
  );
  return (
    <div data-part="fix">
      {[...fixes].map(([key, each]) => (
        <React.Fragment key={key}>
          <p>{translate(each, 'advice')}</p>
          {each.change === null ? null : <Code code={each.change} />}
        </React.Fragment>
      ))}
    </div>
  );
}

/** The devices, costs, notebooks and confidence. */
function formatFacts(group: Alike<Finding>, live: LiveModel): string {
  const [first] = group;
  return [
    group.length > 1 ? formatDevices(group, live) : '',
    first.cost === null ? '' : translate(first, 'cost').replace(/[.。]$/, ''),
    ...new Set(group.map(each => each.notebook?.split('/').pop())),
    first.confidence === 'confirmed'
      ? trans.__('confirmed')
      : trans.__('suspected from driver readings')
  ]
    .filter(Boolean)
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
