import type { JupyterFrontEnd } from '@jupyterlab/application';

import { visibleCode } from '../model/foreignText';
import { trans } from '../translation';
import { inform } from './confirm';

const INSERT = 'notebook:insert-cell-below';
const WRITE = 'notebook:replace-selection';

/** Inserts code into a new cell below the active one, using the notebook's own commands. */
export function codeInserter(
  app: JupyterFrontEnd
): (code: string) => Promise<void> {
  return async code => {
    const { commands } = app;
    if (!commands.hasCommand(INSERT) || !commands.isEnabled(INSERT)) {
      inform(trans.__('Open a notebook first or copy the code.'));
      return;
    }
    await commands.execute(INSERT);
    await commands.execute(WRITE, { text: visibleCode(code) });
  };
}
