import type { DeviceInfo, ParameterInfo } from '../api/generated';
import type { Problem } from '../model/form';
import type { Connection } from '../model/live';
import { trans } from '../translation';

/** Why a reading is missing, in words. */
export function formatReason(reason: string): string {
  const words: Record<string, string> = {
    not_supported: trans.__('This device or driver has no such reading.'),
    no_permission: trans.__(
      'The driver gives this reading to administrators only.'
    ),
    device_lost: trans.__(
      'The device was lost: it fell off the bus, or the driver was unloaded.'
    ),
    not_answering: trans.__('The driver does not answer.'),
    not_recorded: trans.__('The recording does not hold this reading.'),
    not_yet: trans.__('Measured from the next reading on.'),
    implausible: trans.__(
      'The driver answered with a value that cannot be; it is not shown.'
    ),
    driver_error: trans.__(
      'The driver answered with an error; the server’s log names it.'
    )
  };
  return words[reason] ?? trans.__('There is no reading.');
}

/** The problem of a device, in words; null if it works. */
export function formatState(state: DeviceInfo['state']): string | null {
  const words: Record<string, string> = {
    not_answering: trans.__(
      'Not answering: a call of the driver hangs. See whether nvidia-smi answers.'
    ),
    device_lost: trans.__(
      'Lost: the driver cannot reach it any more. A restart of the machine usually brings it back.'
    )
  };
  return words[state] ?? null;
}

/** How the page gets its readings, in words; null if all is well. */
export function formatConnection({
  connection,
  stale
}: {
  connection: Connection;
  stale: boolean;
}): string | null {
  const words: Record<Connection, string | null> = {
    live: null,
    paused: trans.__('Paused while hidden'),
    connecting: trans.__('Connecting…'),
    reconnecting: trans.__('Connection lost; trying again…'),
    polling: trans.__('No live connection; asking the server now and then')
  };
  return words[stale ? 'reconnecting' : connection];
}

/** What is wrong with the typed value, in words. */
export function formatProblem(
  problem: Problem,
  { minimum, maximum }: ParameterInfo
): string {
  switch (problem) {
    case 'not_a_number':
      return trans.__('Give a number.');
    case 'not_whole':
      return trans.__('Give a whole number.');
    case 'out_of_range':
      return maximum === null
        ? trans.__('Give a number of at least %1.', minimum)
        : minimum === null
          ? trans.__('Give a number of at most %1.', maximum)
          : trans.__('Give a number from %1 to %2.', minimum, maximum);
  }
}

/** The heading of a family of metrics; for another package's family, its own name. */
export function formatFamily(family: string): string {
  const words: Record<string, string> = {
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
  return words[family] ?? family;
}
