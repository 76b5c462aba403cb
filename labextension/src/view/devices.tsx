import * as React from 'react';

import { trans } from '../translation';
import type { IPanelContext } from './context';
import { DeviceCard, DeviceRow, isMetric } from './device';
import { Figure, Readings } from './figure';
import { NoDevice } from './nodevice';
import { Section } from './section';

/** From this many devices on, each is a row. */
const MANY = 4;

/** All devices, or why there is none, and the machine around them. */
export function DevicesSection({ live, state }: IPanelContext): JSX.Element {
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
        <Device key={device.uuid} device={device} live={live} />
      ))}
      {reason ? <NoDevice reason={reason} /> : null}
      <Host live={live} />
    </Section>
  );
}

function Host({ live }: Pick<IPanelContext, 'live'>): JSX.Element | null {
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
        <span
          key={metric.name}
          data-metric={metric.name}
          title={trans.__(metric.help)}
        >
          <span className="jp-GpuPerf-label">{trans.__(metric.label)} </span>
          <Figure metric={metric} readings={readings} />
        </span>
      ))}
    </div>
  );
}
