import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';

import { trans } from '../translation';

const INSERT = 'notebook:insert-cell-below';
const WRITE = 'notebook:replace-selection';

/** Puts code into a new cell below the active one, by the notebook's own commands. */
export function codeInserter(
  app: JupyterFrontEnd
): (code: string) => Promise<void> {
  return async code => {
    const { commands } = app;
    if (!commands.hasCommand(INSERT) || !commands.isEnabled(INSERT)) {
      Notification.info(trans.__('Open a notebook first, or copy the code.'), {
        autoClose: 5000
      });
      return;
    }
    await commands.execute(INSERT);
    await commands.execute(WRITE, { text: code });
  };
}
