import * as React from 'react';

import type { CheckFinding } from '../api/generated';
import type { DoctorModel } from '../model/doctor';
import { commandOf, webAddress } from '../model/foreignText';
import { trans } from '../translation';
import { Sign } from './alerts';
import { CopyButton } from './code';
import { usePanel } from './context';
import { pythonKernels, Select } from './form';
import { ErrorDetails } from './errors';
import { translate } from './translate';
import { More, Section } from './section';
import { Button, Note } from './elements';

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
      summary={formatCounts(doctor)}
      initiallyOpen={false}
      help="doctor/index"
    >
      <div className="jp-GpuPerf-chooser">
        <Select
          name="environment"
          label={trans.__('Environment to check')}
          value={doctor.kernel}
          options={[
            ['', trans.__('Jupyter server')],
            ...pythonKernels(kernelspecs)
          ]}
          onChange={kernel => doctor.choose(kernel)}
        />
        <Button
          disabled={doctor.busy}
          onClick={() => void doctor.examine(true)}
        >
          {trans.__('Check again')}
        </Button>
      </div>
      <Note role="status">
        {doctor.busy
          ? trans.__('Checking packages, driver and settings…')
          : doctor.report?.interpreter}
      </Note>
      <ErrorDetails error={doctor.error} role="alert" />
      <Checks checks={doctor.withStatus('fail', 'warn')} />
      {(['ok', 'unknown'] as const).map(status => {
        const checks = doctor.withStatus(status);
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
function formatCounts(doctor: DoctorModel): string {
  if (doctor.report === null) {
    return doctor.busy ? trans.__('checking…') : '';
  }
  const count = doctor.report.checks.length;
  const fails = doctor.withStatus('fail').length;
  const warns = doctor.withStatus('warn').length;
  return [
    (fails ? `${SIGNS.fail} ` : warns ? `${SIGNS.warn} ` : '') +
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

/** A line that unfolds to show what was found and expected, why it matters, and what to type. */
function Check({ check }: ICheckProps): JSX.Element {
  const { status, fix, then } = check;
  const link = webAddress(check.link);
  const rows = [
    [
      status === 'unknown' ? trans.__('Not checked') : trans.__('Found'),
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
      {link === null ? null : (
        <a href={link} target="_blank" rel="noreferrer">
          {trans.__('Learn more')}
        </a>
      )}
    </details>
  );
}

/** The commands to type, with buttons that copy or type them. Among alternatives, the reader chooses. */
function Fix({ check }: ICheckProps): JSX.Element {
  const { writeInTerminal } = usePanel();
  const command = commandOf(check.fix);
  return (
    <div className="jp-GpuPerf-fix">
      <hgroup>
        <span className="jp-GpuPerf-label">
          {check.status === 'ok'
            ? trans.__('To change it, run')
            : trans.__('To fix it, run')}
        </span>
        <CopyButton text={check.fix} />
        {command === null ? null : (
          <Button
            title={trans.__(
              'Opens a terminal with this command; press Enter to run it.'
            )}
            onClick={() => void writeInTerminal(command)}
          >
            {trans.__('Open in terminal')}
          </Button>
        )}
      </hgroup>
      <pre tabIndex={0}>{check.fix}</pre>
    </div>
  );
}

function formatStatus(status: Status): string {
  const labels: Record<Status, string> = {
    fail: trans.__('Failure'),
    warn: trans.__('Warning'),
    ok: trans.__('OK'),
    unknown: trans.__('Not checked')
  };
  return labels[status];
}
