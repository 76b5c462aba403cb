import * as React from 'react';

import type { DeviceInfo, MetricInfo } from '../api/generated';
import { shortName } from '../format';
import type { LiveModel } from '../model/live';
import {
  deviceOf,
  IStatusBarSettings,
  Level,
  levelOf,
  STATUS_BAR_DEFAULTS,
  TRAINING
} from '../model/statusbar';
import { trans } from '../translation';
import { formatSeverity } from './alerts';
import { Figure, Readings, formatWidest } from './figure';
import { ReplayBadge } from './replay';
import { formatWorth } from './stepWorth';

const SIGNS: Record<Level, string> = { warning: '▲', critical: '!' };

interface IStatusLineProps {
  readonly live: LiveModel;
  readonly settings: IStatusBarSettings;
}

/** `H100 · 63 % · 12.3 of 80 GiB · 48 °C · 542 W`. */
export function StatusLine(props: IStatusLineProps): JSX.Element {
  const { live, settings } = props;
  const previous = React.useRef<string>();
  const devices = live.deviceList;
  const device =
    deviceOf(devices, live.latest, settings.device, previous.current) ??
    devices[0];
  previous.current = device?.uuid;
  if (device === undefined) {
    return <span>{live.devices?.reason ? trans.__('No GPU') : '…'}</span>;
  }
  const readings: Readings = {
    ...live.latest?.host,
    ...live.latest?.devices[device.uuid]
  };
  const more = devices.length - 1;
  return (
    <>
      <ReplayBadge live={live} />
      <span data-device={device.uuid}>{nameOf(device, settings)}</span>
      {live.metrics(settings.metrics).map(metric => (
        <React.Fragment key={metric.name}>
          <span className="jp-GpuPerf-separator">{' · '}</span>
          <StatusFigure
            metric={metric}
            readings={readings}
            level={levelOf(metric, readings, settings.thresholds)}
          />
        </React.Fragment>
      ))}
      {settings.metrics.includes(TRAINING) && (
        <Training live={live} uuid={device.uuid} />
      )}
      {more > 0 ? (
        <span className="jp-GpuPerf-more">
          {' '}
          {trans.__('and %1 more', more)}
        </span>
      ) : null}
    </>
  );
}

/** What the loop on a device is worth. */
function Training(props: { live: LiveModel; uuid: string }): JSX.Element {
  const loop = props.live.training?.notebooks
    .flatMap(each => each.loaders)
    .find(each => each.device_uuid === props.uuid);
  const worth = loop && formatWorth(loop);
  return <span data-worth>{worth ? ` · ${worth}` : ''}</span>;
}

/** The name of the device, with its number unless the settings choose the first device. */
function nameOf(device: DeviceInfo, settings: IStatusBarSettings): string {
  const name = shortName(device.name);
  return settings.device === 'first'
    ? name
    : `${trans.__('GPU %1', device.index)} ${name}`;
}

interface IStatusFigureProps {
  readonly metric: MetricInfo;
  readonly readings: Readings;
  readonly level: Level | null;
}

function StatusFigure(props: IStatusFigureProps): JSX.Element {
  const { metric, readings, level } = props;
  const share = metric.unit === 'bytes'; // not for power: its limit would make the line too long
  // The units suffice to identify the default figures. With other metrics, two values of `40 %`
  // would be ambiguous.
  const isDefault = STATUS_BAR_DEFAULTS.metrics.includes(metric.name);
  return (
    <span data-metric={metric.name} data-level={level ?? undefined}>
      {isDefault ? null : <span>{trans.__(metric.label)} </span>}
      {level ? <LevelSign level={level} /> : null}
      <span
        className="jp-GpuPerf-place"
        data-widest={formatWidest(metric, readings, share) || undefined}
      >
        <Figure
          metric={metric}
          readings={readings}
          focusable={false}
          share={share}
        />
      </span>
    </span>
  );
}

function LevelSign(props: { level: Level }): JSX.Element {
  const { level } = props;
  return (
    <span
      className="jp-GpuPerf-levelSign"
      role="img"
      aria-label={formatSeverity(level)}
    >
      {SIGNS[level]}
    </span>
  );
}
