import * as React from 'react';

import type { CheckFinding } from '../api/generated';
import type { DoctorModel } from '../model/doctor';
import { trans } from '../translation';
import { Sign } from './alerts';
import { CopyButton } from './code';
import { usePanel } from './context';
import { pythonsOf, Select } from './form';
import { Failure } from './refusal';
import { translate } from './translate';
import { More, Section } from './section';

type Status = CheckFinding['status'];

const SIGNS: Record<Status, string> = {
  fail: '✕',
  warn: '⚠',
  ok: '✓',
  unknown: '–'
};

/** The doctor's report, problems first. */
export function EnvironmentSection(): JSX.Element {
  const { doctor, kernelspecs } = usePanel();
  return (
    <Section
      id="environment"
      title={trans.__('Environment')}
      note={noteOf(doctor)}
    >
      <div className="jp-GpuPerf-chooser">
        <Select
          name="environment"
          label={trans.__('The environment to look at')}
          value={doctor.kernel}
          options={[
            ['', trans.__('Jupyter server')],
            ...pythonsOf(kernelspecs)
          ]}
          onChange={kernel => doctor.choose(kernel)}
        />
        <button
          className="jp-mod-styled"
          disabled={doctor.busy}
          onClick={() => void doctor.examine(true)}
        >
          {trans.__('Check again')}
        </button>
      </div>
      <p className="jp-GpuPerf-note" role="status">
        {doctor.busy
          ? trans.__('Looking at packages, driver and settings…')
          : doctor.report?.interpreter}
      </p>
      <Failure error={doctor.trouble} role="alert" />
      <Checks checks={doctor.with('fail', 'warn')} />
      {(['ok', 'unknown'] as const).map(status => {
        const checks = doctor.with(status);
        return checks.length === 0 ? null : (
          <More
            key={status}
            title={`${formatStatus(status)} (${checks.length})`}
          >
            <Checks checks={checks} />
          </More>
        );
      })}
    </Section>
  );
}

/** `66 checks, 1 failure, 2 warnings` */
function noteOf(doctor: DoctorModel): string {
  if (doctor.report === null) {
    return doctor.busy ? trans.__('looking…') : '';
  }
  const count = doctor.report.checks.length;
  const fails = doctor.with('fail').length;
  const warns = doctor.with('warn').length;
  return [
    trans._n('%1 check', '%1 checks', count),
    fails > 0 ? trans._n('%1 failure', '%1 failures', fails) : '',
    warns > 0 ? trans._n('%1 warning', '%1 warnings', warns) : '',
    fails + warns === 0 ? trans.__('no warnings') : ''
  ]
    .filter(Boolean)
    .join(trans._p('between counts', ', '));
}

function Checks(props: { checks: readonly CheckFinding[] }): JSX.Element {
  return (
    <ul className="jp-GpuPerf-checks">
      {props.checks.map(each => (
        <li key={each.id} data-check={each.id} data-status={each.status}>
          <Check check={each} />
        </li>
      ))}
    </ul>
  );
}

interface ICheckProps {
  readonly check: CheckFinding;
}

/** A line that unfolds to what was found, what was expected, why it matters, and what to type. */
function Check({ check }: ICheckProps): JSX.Element {
  const { status, fix, then, link } = check;
  const rows = [
    [
      status === 'unknown' ? trans.__('Not known') : trans.__('Found'),
      translate(check, 'found')
    ],
    [trans.__('Expected'), translate(check, 'expected')],
    [trans.__('Why it matters'), translate(check, 'why')]
  ];
  return (
    <details>
      <summary>
        <Sign label={formatStatus(status)}>{SIGNS[status]}</Sign>{' '}
        {translate(check, 'label')}
      </summary>
      <dl>
        {rows.map(([name, text]) => (
          <React.Fragment key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </React.Fragment>
        ))}
      </dl>
      {fix ? <Fix check={check} /> : null}
      {then ? <p>{translate(check, 'then')}</p> : null}
      <a href={link} target="_blank" rel="noreferrer noopener">
        {trans.__('More about it')}
      </a>
    </details>
  );
}

/** The commands to type, with buttons for it. If there are several alternatives, the reader chooses. */
function Fix({ check }: ICheckProps): JSX.Element {
  const { writeInTerminal } = usePanel();
  const line = lineOf(check.fix);
  return (
    <div className="jp-GpuPerf-fix">
      <header>
        <span className="jp-GpuPerf-label">
          {check.status === 'ok'
            ? trans.__('If you like, type')
            : trans.__('To mend it, type')}
        </span>
        <CopyButton text={check.fix} />
        {line === null ? null : (
          <button
            className="jp-mod-styled"
            title={trans.__(
              'Opens a terminal with this line at its prompt; Enter runs it.'
            )}
            onClick={() => void writeInTerminal(line)}
          >
            {trans.__('To a terminal')}
          </button>
        )}
      </header>
      <pre tabIndex={0}>{check.fix}</pre>
    </div>
  );
}

/** Commands as one line; `null` if there is a choice to make, a gap to fill, or if they belong in a cell. */
function lineOf(fix: string): string | null {
  const lines = fix.split('\n').map(each => each.trim());
  return lines.some(each => /^[#%]|…/.test(each))
    ? null
    : lines.filter(Boolean).join(' && ');
}

function formatStatus(status: Status): string {
  const words: Record<Status, string> = {
    fail: trans.__('Does not work'),
    warn: trans.__('Warning'),
    ok: trans.__('As it should be'),
    unknown: trans.__('Not known here')
  };
  return words[status];
}
