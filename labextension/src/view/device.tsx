import * as React from 'react';

import type { DeviceInfo, MetricInfo } from '../api/generated';
import { shortName } from '../format';
import { gpuName } from './gpuName';
import { trans } from '../translation';
import { Chart } from './chart';
import { usePanel } from './context';
import { Figure, formatFlags, Readings, topOf } from './figure';
import { More } from './section';
import { formatFamily, formatDeviceState } from './messages';
import { Help, Note } from './elements';

/** The metrics that a card shows in large type; the table below contains all others. */
const MAIN_METRICS = [
  'utilization_percent',
  'memory_used_bytes',
  'power_watts',
  'temperature_celsius'
];
/** The metric on a line of its own below the main ones. */
const LINE_METRIC = 'clock_sm_mhz';
/** The bit that means "idle", which is not a problem. */
const IDLE_FLAG = 1;

interface IDeviceProps {
  readonly device: DeviceInfo;
}

/** A device with its main figures, the last minute of each as a curve, and all readings on demand. */
export function DeviceCard({ device }: IDeviceProps): JSX.Element {
  const { live } = usePanel();
  const readings: Readings = live.latest?.devices[device.uuid] ?? {};
  return (
    <article
      className="jp-GpuPerf-card"
      data-device={device.uuid}
      aria-label={device.name}
    >
      <hgroup title={device.uuid}>
        <strong>{device.name.replace(/^NVIDIA /, '')}</strong>
        <span className="jp-GpuPerf-note">
          {device.parent_uuid
            ? trans.__('part of GPU %1', device.index)
            : gpuName(device)}
        </span>
      </hgroup>
      <State device={device} />
      <div className="jp-GpuPerf-tiles">
        {live.metrics([...MAIN_METRICS, LINE_METRIC]).map(metric => (
          <Tile
            key={metric.name}
            uuid={device.uuid}
            metric={metric}
            readings={readings}
          />
        ))}
      </div>
      <Throttling readings={readings} />
      <AllReadings readings={readings} />
    </article>
  );
}

/** The device's problem, if it has one. */
function State({ device }: IDeviceProps): JSX.Element | null {
  const problem = formatDeviceState(device);
  if (problem !== null) {
    return (
      <p className="jp-GpuPerf-failure" data-state={device.state}>
        {problem}
      </p>
    );
  }
  return device.unified_memory ? (
    <Note>{trans.__('Memory is shared with the host.')}</Note>
  ) : null;
}

interface ITileProps extends IReadingsProps {
  readonly uuid: string;
  readonly metric: MetricInfo;
}

/** A reading above the curve of its last minute, or beside it across the whole card. */
function Tile({ uuid, metric, readings }: ITileProps): JSX.Element {
  const isLine = metric.name === LINE_METRIC;
  return (
    <div
      className={`jp-GpuPerf-tile${isLine ? ' jp-mod-line' : ''}`}
      data-metric={metric.name}
      title={trans.__(metric.help)}
    >
      <span className="jp-GpuPerf-label">{trans.__(metric.label)}</span>
      <Figure metric={metric} readings={readings} />
      <Chart
        uuid={uuid}
        metric={metric.name}
        maximum={topOf(metric, readings)}
        label={trans.__('%1, last minute', trans.__(metric.label))}
        height={isLine ? 18 : 28}
      />
    </div>
  );
}

/** A device as one line, for machines with many; it unfolds into its card. */
export function DeviceRow({ device }: IDeviceProps): JSX.Element {
  const { live } = usePanel();
  const [open, setOpen] = React.useState(false);
  const readings: Readings = live.latest?.devices[device.uuid] ?? {};
  const busy = readings['utilization_percent'];
  return (
    <div className="jp-GpuPerf-rowGroup">
      <button
        className="jp-GpuPerf-row"
        data-device={device.uuid}
        aria-expanded={open}
        title={`${device.name} ${device.host ?? ''}`}
        onClick={() => setOpen(!open)}
      >
        <span className="jp-GpuPerf-rowName">
          {device.index} {device.host ?? shortName(device.name)}
        </span>
        {live.metrics(MAIN_METRICS).map(metric => (
          <span
            className="jp-GpuPerf-rowFigure"
            data-metric={metric.name}
            key={metric.name}
            title={trans.__(metric.label)}
          >
            <Figure metric={metric} readings={readings} focusable={false} />
          </span>
        ))}
        <span className="jp-GpuPerf-rowBar" aria-hidden="true">
          <span style={{ width: `${typeof busy === 'number' ? busy : 0}%` }} />
        </span>
      </button>
      {open ? <DeviceCard device={device} /> : null}
    </div>
  );
}

interface IReadingsProps {
  readonly readings: Readings;
}

function Throttling({ readings }: IReadingsProps): JSX.Element | null {
  const metric = usePanel().live.metric('clock_event_flags');
  const mask = Number(readings['clock_event_flags']) & ~IDLE_FLAG; // a missing reading gives 0
  return metric === undefined || mask === 0 ? null : (
    <p className="jp-GpuPerf-throttling" title={trans.__(metric.help)}>
      {trans.__('%1: %2', trans.__(metric.label), formatFlags(metric, mask))}
    </p>
  );
}

function AllReadings({ readings }: IReadingsProps): JSX.Element {
  const metrics = usePanel().live.catalog.metrics.filter(
    metric => metric.scope === 'device'
  );
  return (
    <More title={trans.__('All readings')}>
      <table>
        <tbody>
          {metrics.map((metric, i) => (
            <React.Fragment key={metric.name}>
              {metric.family !== metrics[i - 1]?.family ? (
                <tr className="jp-GpuPerf-family">
                  <th colSpan={2} scope="colgroup">
                    {formatFamily(metric.family)}
                  </th>
                </tr>
              ) : null}
              <tr data-metric={metric.name}>
                <th scope="row" title={trans.__(metric.help)}>
                  {trans.__(metric.label)}{' '}
                  <Help
                    page={`reference/metrics/${metric.name}`}
                    about={trans.__(metric.label)}
                  />
                </th>
                <td>
                  <Figure metric={metric} readings={readings} share={false} />
                </td>
              </tr>
            </React.Fragment>
          ))}
        </tbody>
      </table>
    </More>
  );
}
