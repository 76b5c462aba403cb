import type { DeviceInfo } from '../api/generated';
import type { LiveModel } from '../model/live';
import {
  deviceOf,
  IStatusBarSettings,
  STATUS_BAR_DEFAULTS,
  TRAINING
} from '../model/statusbar';
import { trans } from '../translation';
import { gpuName } from './gpuName';
import { formatCounts, isUrgent } from './alertdot';
import { devicePrefix } from './alerts';
import { formatFigure } from './figure';
import { translate } from './translate';
import { formatConnection, formatDeviceState } from './messages';

/** The status bar's tooltip: what is wrong, one line per device, and what a click does. */
export function captionOf(
  live: LiveModel,
  settings: IStatusBarSettings
): string {
  const devices = live.deviceList;
  const connection = live.stale ? formatConnection(live) : null;
  const blocks = [
    connection ? [connection] : [],
    alertLines(live),
    devices.map(device => deviceLine(device, live)),
    invalidSettings(live, settings),
    [trans.__('Click to open the GPU panel')]
  ];
  return blocks
    .filter(lines => lines.length > 0)
    .map(lines => lines.join('\n'))
    .join('\n\n');
}

function alertLines(live: LiveModel): string[] {
  const urgent = live.attention.groups.filter(([each]) => isUrgent(each));
  const lines = urgent.map(
    group => devicePrefix(group, live) + translate(group[0], 'summary')
  );
  return urgent.length > 0 ? [formatCounts(urgent), ...lines] : [];
}

/** `GPU 0 NVIDIA H100: Busy 63 %, Memory 12.3 of 80 GiB, …`; for a lost device, its state. */
function deviceLine(device: DeviceInfo, live: LiveModel): string {
  const readings = live.latest?.devices[device.uuid] ?? {};
  const figures = live
    .metrics(STATUS_BAR_DEFAULTS.metrics)
    .map(
      metric =>
        `${trans.__(metric.label)} ${formatFigure(metric, readings) ?? '–'}`
    );
  return trans.__(
    '%1: %2',
    `${gpuName(device)} ${device.name}`,
    formatDeviceState(device) ?? figures.join(' · ')
  );
}

/** Report unknown names in the settings; the status bar leaves them out. */
function invalidSettings(
  live: LiveModel,
  settings: IStatusBarSettings
): string[] {
  const devices = live.deviceList;
  const known = live.catalog.metrics.length > 0;
  const unknown = settings.metrics.filter(
    name => known && name !== TRAINING && !live.metric(name)
  );
  const lines: string[] = [];
  if (unknown.length > 0) {
    lines.push(
      trans.__('Unknown metrics in the settings: %1', unknown.join(', '))
    );
  }
  if (
    devices.length > 0 &&
    deviceOf(devices, live.latest, settings.device) === undefined
  ) {
    lines.push(trans.__('Unknown GPU in the settings: %1', settings.device));
  }
  return lines;
}
