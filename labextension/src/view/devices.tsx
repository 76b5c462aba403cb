import * as React from 'react';

import type { NoDevices } from '../api/generated';
import type { IPanelContext } from './context';
import { DeviceCard, DeviceRow, isMetric } from './device';
import { Figure, Readings } from './figure';
import { Section } from './section';

/** From this many devices on, each is a row. */
const MANY = 4;

/** In parts: where it is broken when the panel is narrow. */
const REPLAY_COMMAND = [
  'JUPYTER_GPUPERF_SOURCE=',
  'replay:',
  'h100_healthy_resnet50_bf16.jsonl.gz',
  ' jupyter lab'
];

/** All devices, or why there is none, and the machine around them. */
export function DevicesSection({
  live,
  trans,
  state
}: IPanelContext): JSX.Element {
  const devices = live.devices?.devices ?? [];
  const reason = live.devices?.reason ?? null;
  const Device = devices.length >= MANY ? DeviceRow : DeviceCard;
  const note =
    devices.length > 1
      ? trans.__('%1 GPUs', devices.length)
      : reason
        ? trans.__('No GPU')
        : undefined;
  return (
    <Section id="devices" title={trans.__('Devices')} note={note} state={state}>
      {devices.map(device => (
        <Device key={device.uuid} device={device} live={live} trans={trans} />
      ))}
      {reason ? <NoDevice reason={reason} trans={trans} /> : null}
      <Host live={live} trans={trans} />
    </Section>
  );
}

function NoDevice(props: {
  reason: NoDevices;
  trans: IPanelContext['trans'];
}): JSX.Element {
  const { reason, trans } = props;
  return (
    <div className="jp-GpuPerf-absent" data-reason={reason.code}>
      <p>
        <strong>{reason.message}</strong>
      </p>
      {reason.hint ? <p>{reason.hint}</p> : null}
      {reason.code === 'starting' ? null : (
        <p className="jp-GpuPerf-note">
          {trans.__(
            'To see the panel at work without a GPU, start Jupyter on a recorded H100:'
          )}
          <code>
            {REPLAY_COMMAND.map(part => (
              <React.Fragment key={part}>
                {part}
                <wbr />
              </React.Fragment>
            ))}
          </code>
        </p>
      )}
    </div>
  );
}

function Host({
  live,
  trans
}: Pick<IPanelContext, 'live' | 'trans'>): JSX.Element | null {
  const readings: Readings = live.latest?.host ?? {};
  const metrics = ['host_cpu_percent', 'host_memory_used_bytes']
    .map(name => live.metric(name))
    .filter(isMetric);
  if (metrics.length === 0) {
    return null;
  }
  return (
    <div className="jp-GpuPerf-host" role="group" aria-label={trans.__('Host')}>
      <span className="jp-GpuPerf-label">{trans.__('Host')}</span>
      {metrics.map(metric => (
        <span key={metric.name} data-metric={metric.name} title={metric.help}>
          <span className="jp-GpuPerf-label">{trans.__(metric.label)} </span>
          <Figure metric={metric} readings={readings} trans={trans} />
        </span>
      ))}
    </div>
  );
}
