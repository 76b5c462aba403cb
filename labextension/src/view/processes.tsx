import * as React from 'react';

import type { KernelInfo } from '../api/generated';
import { formatAge, formatQuantity } from '../format';
import type { IHolder } from '../model/processes';
import { trans } from '../translation';
import { usePanel } from './context';
import { ErrorLine } from './errors';
import { Section } from './section';
import { formatReason } from './messages';
import { Button, Note } from './elements';
import { Owners } from './owners';
import { translate } from './translate';

/** A kernel that holds memory is highlighted once it has been idle this long. */
const IDLE_SECONDS = 60;

/** The memory of each notebook and process, notebooks first. */
export function ProcessesSection(): JSX.Element {
  const { processes, live } = usePanel();
  const holders = processes.holders;
  const reasons = Object.values(processes.processes?.devices ?? {}).flatMap(
    each => (each.reason ? [each.reason] : [])
  );
  const indices = new Map(live.deviceList.map(each => [each.uuid, each.index]));
  return (
    <Section
      id="processes"
      title={trans.__('Notebooks and processes')}
      summary={holders.length}
      help="monitoring"
    >
      {holders.map(holder => (
        <Holder
          key={holder.id}
          holder={holder}
          indices={indices.size > 1 ? indices : null}
        />
      ))}
      {[...new Set(reasons)].map(reason => (
        <Note key={reason}>{formatReason(reason)}</Note>
      ))}
      {processes.error ? (
        <ErrorLine error={processes.error} />
      ) : holders.length === 0 && reasons.length === 0 ? (
        <Note>{trans.__('No process is using a GPU.')}</Note>
      ) : null}
    </Section>
  );
}

interface IHolderProps {
  readonly holder: IHolder;
  /** UUID → index, if there are several devices. */
  readonly indices: Map<string, number> | null;
}

function Holder({ holder, indices }: IHolderProps): JSX.Element {
  const { kernel } = holder;
  const idle = (kernel?.idle_seconds ?? 0) >= IDLE_SECONDS;
  const memory = formatMemory(holder.memoryBytes);
  const failure = usePanel().live.attention.findings.find(
    each =>
      each.code === 'out-of-memory' &&
      [...holder.processes, ...holder.reports].some(
        ({ pid }) => pid !== null && pid === each.pid
      )
  );
  const item = (
    { device }: { readonly device: string },
    pid: number,
    facts: readonly (string | null)[],
    help?: string
  ) => (
    <li key={`${device} ${pid}`} title={help}>
      {[
        indices && trans.__('GPU %1', indices.get(device)),
        trans.__('process %1', pid),
        ...facts
      ]
        .filter(Boolean)
        .join(' · ')}
    </li>
  );
  return (
    <article
      className="jp-GpuPerf-holder"
      data-kernel={kernel?.kernel_id}
      data-idle={idle}
    >
      <hgroup>
        <strong title={kernel?.notebook_path ?? undefined}>
          {nameOf(holder)}
        </strong>
        <span className="jp-GpuPerf-number">{memory}</span>
      </hgroup>
      {failure ? (
        <p className="jp-GpuPerf-problem">{translate(failure, 'summary')}</p>
      ) : null}
      {idle ? (
        <p>
          {trans.__(
            'Idle for %2, holding %1',
            memory,
            formatAge(kernel?.idle_seconds ?? 0)
          )}
        </p>
      ) : null}
      <ul>
        {holder.processes.map(process =>
          item(process, process.pid ?? process.driver_pid, [
            typeof process.sm_utilization_percent === 'number'
              ? trans.__(
                  'SM utilization %1 %',
                  process.sm_utilization_percent.toFixed(0)
                )
              : null,
            process.user,
            process.command,
            process.started_seconds
              ? formatAge(Date.now() / 1000 - process.started_seconds)
              : null
          ])
        )}
        {holder.reports.map(report =>
          item(
            report,
            report.pid,
            [
              trans.__(
                'self-reported: %1 in tensors',
                formatMemory(report.allocated_bytes)
              )
            ],
            trans.__('Can’t be matched with the driver’s list of processes.')
          )
        )}
      </ul>
      {kernel ? (
        <>
          <Owners kernel={kernel.kernel_id} />
          <Actions kernel={kernel} idle={idle} />
        </>
      ) : null}
    </article>
  );
}

function Actions(props: { kernel: KernelInfo; idle: boolean }): JSX.Element {
  const { kernel, idle } = props;
  const { actions } = usePanel();
  const path = kernel.notebook_path;
  const button = (label: string, act: () => void) => (
    <Button onClick={act}>{label}</Button>
  );
  return (
    <div className="jp-GpuPerf-actions">
      {path ? button(trans.__('Open'), () => actions.open(path)) : null}
      {idle
        ? null
        : button(trans.__('Interrupt'), () => actions.interrupt(kernel))}
      {button(idle ? trans.__('Free memory') : trans.__('Restart'), () =>
        actions.restart(kernel)
      )}
      {button(trans.__('Shut down'), () => actions.shutDown(kernel))}
    </div>
  );
}

function nameOf({ kernel, processes }: IHolder) {
  if (kernel === null) {
    return processes[0].command ?? trans.__('Unknown process');
  }
  return (
    kernel.notebook_path?.split('/').pop() ||
    kernel.session_name ||
    kernel.kernel_name
  );
}

function formatMemory(bytes: number | null): string {
  return bytes === null
    ? trans.__('memory unknown')
    : formatQuantity(bytes, 'bytes');
}
