import { UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { CheckFinding } from '../api/generated';
import type { DoctorModel } from '../model/doctor';
import { trans } from '../translation';
import { pythonsOf } from './benchmarks';
import { CopyButton } from './code';
import type { IPanelContext } from './context';
import { Select } from './form';
import { Failure } from './refusal';
import { said } from './said';
import { More, Section } from './section';

const SIGNS: Record<CheckFinding['status'], string> = {
  fail: '✕',
  warn: '⚠',
  ok: '✓',
  unknown: '–'
};

/** What the doctor found, what is wrong first. */
export function EnvironmentSection(context: IPanelContext): JSX.Element {
  const { doctor, state } = context;
  return (
    <UseSignal signal={doctor.changed}>
      {() => (
        <Section
          id="environment"
          title={trans.__('Environment')}
          note={noteOf(doctor)}
          state={state}
        >
          <Environment {...context} />
        </Section>
      )}
    </UseSignal>
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

function Environment({
  doctor,
  kernelspecs,
  writeInTerminal
}: IPanelContext): JSX.Element {
  const wrong = doctor.with('fail', 'warn');
  return (
    <>
      <div className="jp-GpuPerf-chooser">
        <Select
          name="environment"
          label={trans.__('The environment to look at')}
          value={doctor.kernel}
          options={[
            ['', trans.__('Jupyter server')],
            ...Object.entries(pythonsOf(kernelspecs))
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
      <Findings findings={wrong} write={writeInTerminal} />
      <Quiet
        title={trans.__('As it should be')}
        findings={doctor.with('ok')}
        write={writeInTerminal}
      />
      <Quiet
        title={trans.__('Not known here')}
        findings={doctor.with('unknown')}
        write={writeInTerminal}
      />
    </>
  );
}

interface IFindings {
  readonly findings: readonly CheckFinding[];
  /** Write a line at the prompt of a new terminal. */
  readonly write: (line: string) => Promise<void>;
}

function Quiet(props: IFindings & { title: string }): JSX.Element | null {
  const { title, findings, write } = props;
  return findings.length === 0 ? null : (
    <More title={`${title} (${findings.length})`}>
      <Findings findings={findings} write={write} />
    </More>
  );
}

function Findings({ findings, write }: IFindings): JSX.Element {
  return (
    <ul className="jp-GpuPerf-checks">
      {findings.map(each => (
        <li key={each.id} data-check={each.id} data-status={each.status}>
          <Finding finding={each} write={write} />
        </li>
      ))}
    </ul>
  );
}

interface IFinding extends Omit<IFindings, 'findings'> {
  readonly finding: CheckFinding;
}

/** A line that opens to what was found, what should be, why, and what to type. */
function Finding(props: IFinding): JSX.Element {
  const { finding } = props;
  const words = (text: string) => said(text);
  const known = finding.status !== 'unknown';
  const rows: [string, string][] = [
    [known ? trans.__('Found') : trans.__('Not known'), words(finding.found)],
    [trans.__('Expected'), words(finding.expected)],
    [trans.__('Why it matters'), words(finding.why)]
  ];
  return (
    <details>
      <summary>
        <span
          className="jp-GpuPerf-sign"
          role="img"
          aria-label={statusInWords(finding.status)}
        >
          {SIGNS[finding.status]}
        </span>{' '}
        {words(finding.label)}
      </summary>
      <dl>
        {rows.map(([name, text]) => (
          <React.Fragment key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </React.Fragment>
        ))}
      </dl>
      {finding.fix ? <Fix {...props} /> : null}
      {finding.then ? <p>{words(finding.then)}</p> : null}
      <a href={finding.link} target="_blank" rel="noreferrer noopener">
        {trans.__('More about it')}
      </a>
    </details>
  );
}

/** What to type; with buttons that spare it. A choice of several lines is the reader's. */
function Fix(props: IFinding): JSX.Element {
  const { finding, write } = props;
  const line = lineOf(finding.fix);
  return (
    <div className="jp-GpuPerf-fix">
      <header>
        <span className="jp-GpuPerf-label">
          {finding.status === 'ok'
            ? trans.__('If you like, type')
            : trans.__('To mend it, type')}
        </span>
        <CopyButton text={finding.fix} />
        {line === null ? null : (
          <button
            className="jp-mod-styled"
            title={trans.__(
              'Opens a terminal with this line at its prompt; Enter runs it.'
            )}
            onClick={() => void write(line)}
          >
            {trans.__('To a terminal')}
          </button>
        )}
      </header>
      <pre tabIndex={0}>{finding.fix}</pre>
    </div>
  );
}

/** Commands as one line; `null` where there is a choice to make, a gap to fill, or a cell to type it in. */
function lineOf(fix: string): string | null {
  const lines = fix.split('\n').map(each => each.trim());
  return lines.some(each => /^[#%]|…/.test(each))
    ? null
    : lines.filter(Boolean).join(' && ');
}

function statusInWords(status: CheckFinding['status']): string {
  const words: Record<CheckFinding['status'], string> = {
    fail: trans.__('Does not work'),
    warn: trans.__('Warning'),
    ok: trans.__('As it should be'),
    unknown: trans.__('Not known here')
  };
  return words[status];
}
