import type { DeviceInfo, ParameterInfo } from '../api/generated';
import type { Invalid } from '../model/form';
import type { Connection } from '../model/live';
import { trans } from '../translation';

/** Why a reading is missing. */
export function formatReason(reason: string): string {
  const texts: Record<string, string> = {
    not_supported: trans.__('Not supported by this device or driver.'),
    no_permission: trans.__('Requires administrator rights.'),
    device_lost: trans.__(
      'Device lost: it fell off the bus, or the driver was unloaded.'
    ),
    not_answering: trans.__('The driver does not respond.'),
    not_recorded: trans.__('Not in this recording.'),
    not_yet: trans.__('Available from the next reading.'),
    implausible: trans.__(
      'Not shown: the driver returned an impossible value.'
    ),
    driver_error: trans.__('The driver returned an error; see the server log.')
  };
  return texts[reason] ?? trans.__('No reading.');
}

/** What is wrong with a device; null if it works. */
export function formatDeviceState({
  state,
  host
}: Pick<DeviceInfo, 'state' | 'host'>): string | null {
  const texts: Record<string, string> = {
    not_answering: host
      ? trans.__('No readings arrive from %1.', host)
      : trans.__(
          'Not responding: a driver call hangs. Check whether nvidia-smi responds.'
        ),
    device_lost: trans.__(
      'Device lost: the driver can’t reach it. Rebooting usually helps.'
    )
  };
  return texts[state] ?? null;
}

/** What is wrong with the connection to the server; null if nothing is. */
export function formatConnection({
  connection,
  stale
}: {
  connection: Connection;
  stale: boolean;
}): string | null {
  const texts: Record<Connection, string | null> = {
    live: null,
    paused: trans.__('Paused while hidden'),
    connecting: trans.__('Connecting…'),
    reconnecting: trans.__('Connection lost; reconnecting…'),
    polling: trans.__('No live connection; polling the server')
  };
  return texts[stale ? 'reconnecting' : connection];
}

/** What is wrong with a typed value. */
export function formatInvalid(
  reason: Invalid,
  { minimum, maximum }: ParameterInfo
): string {
  switch (reason) {
    case 'not_a_number':
      return trans.__('Enter a number.');
    case 'not_whole':
      return trans.__('Enter a whole number.');
    case 'out_of_range':
      return maximum === null
        ? trans.__('Enter %1 or more.', minimum)
        : minimum === null
          ? trans.__('Enter %1 or less.', maximum)
          : trans.__('Enter a number from %1 to %2.', minimum, maximum);
  }
}

/** The heading of a family of metrics; families of other packages keep their names. */
export function formatFamily(family: string): string {
  const texts: Record<string, string> = {
    activity: trans.__('Activity'),
    memory: trans.__('Memory'),
    power: trans.__('Power'),
    temperature: trans.__('Temperature'),
    clocks: trans.__('Clocks'),
    pcie: trans.__('PCIe'),
    nvlink: trans.__('NVLink'),
    health: trans.__('Health'),
    host: trans.__('Host')
  };
  return texts[family] ?? family;
}
