import { trans } from '../translation';
import { usePanel } from './context';
import { DeviceCard, DeviceRow } from './device';
import { Figure, Readings } from './figure';
import { NoDevice } from './nodevice';
import { hostName } from './replay';
import { Section } from './section';

/** From this many devices on, each takes only one row. */
const MANY_DEVICES = 4;

/** All devices, or why there is none, and the host machine. */
export function DevicesSection(): JSX.Element {
  const { live } = usePanel();
  const devices = live.deviceList;
  const reason = live.devices?.reason ?? null;
  const Device = devices.length >= MANY_DEVICES ? DeviceRow : DeviceCard;
  const summary =
    devices.length > 1
      ? trans.__('%1 GPUs', devices.length)
      : reason
        ? trans.__('No GPU')
        : undefined;
  return (
    <Section
      id="devices"
      title={trans.__('Devices')}
      summary={summary}
      help="monitoring"
    >
      {devices.map(device => (
        <Device key={device.uuid} device={device} />
      ))}
      {reason ? <NoDevice reason={reason} /> : null}
      <Host />
    </Section>
  );
}

function Host(): JSX.Element | null {
  const { live } = usePanel();
  const readings: Readings = live.latest?.host ?? {};
  const metrics = live.metrics(['host_cpu_percent', 'host_memory_used_bytes']);
  if (metrics.length === 0) {
    return null;
  }
  const name = hostName(live);
  return (
    <div className="jp-GpuPerf-host" role="group" aria-label={name}>
      <span className="jp-GpuPerf-label">{name}</span>
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
