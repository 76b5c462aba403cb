import type { TranslationBundle } from '@jupyterlab/translation';

import type { Connection } from '../model/live';

/** Why a reading is missing, in words. */
export function reasonInWords(
  trans: TranslationBundle,
  reason: string
): string {
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
    driver_error: trans.__(
      'The driver answered with an error; the server’s log names it.'
    )
  };
  return words[reason] ?? trans.__('There is no reading.');
}

/** How the page gets its readings, in words; null when all is well. */
export function connectionInWords(
  trans: TranslationBundle,
  connection: Connection
): string | null {
  const words: Record<Connection, string | null> = {
    live: null,
    paused: trans.__('Paused while hidden'),
    connecting: trans.__('Connecting…'),
    reconnecting: trans.__('Connection lost; trying again…'),
    polling: trans.__('No live connection; asking the server now and then')
  };
  return words[connection];
}
