import {
  ILabShell,
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Dialog, ICommandPalette, showDialog } from '@jupyterlab/apputils';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { chipIcon } from '../icon';
import { CommandIDs, IGpuPerf, NAMESPACE } from '../tokens';
import { GpuPanel } from '../view/panel';
import { codeInserter } from './insertCode';
import { terminalWriter } from './terminal';
import { kernelActions } from './kernelActions';

async function confirm(
  title: string,
  body: string,
  accept: string
): Promise<boolean> {
  const answer = await showDialog({
    title,
    body,
    buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: accept })]
  });
  return answer.button.accept;
}

/** After Lab's own panels. */
const RANK = 700;

/** Adds the panel, and the command that opens it. */
export const panelPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-gpuperf:panel',
  description: 'The GPU panel.',
  autoStart: true,
  requires: [IGpuPerf],
  optional: [
    ITranslator,
    IStateDB,
    ILayoutRestorer,
    ICommandPalette,
    ILabShell
  ],
  activate: (
    app: JupyterFrontEnd,
    gpuperf: IGpuPerf,
    translator: ITranslator | null,
    state: IStateDB | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    labShell: ILabShell | null
  ): void => {
    const trans = (translator ?? nullTranslator).load(NAMESPACE);
    const kernelspecs = app.serviceManager.kernelspecs;
    const actions = kernelActions(app, trans, () => {
      void gpuperf.processes.refresh();
    });
    const panel = new GpuPanel({
      ...gpuperf,
      trans,
      state,
      kernelspecs,
      actions,
      confirm,
      insertCode: codeInserter(app, trans),
      writeInTerminal: terminalWriter(app, trans),
      openDashboard: () => void app.commands.execute(CommandIDs.openDashboard)
    });
    // Notebook 7 keeps its left side for the table of contents alone.
    app.shell.add(panel, labShell ? 'left' : 'right', { rank: RANK });
    restorer?.add(panel, panel.id);
    app.commands.addCommand(CommandIDs.openPanel, {
      label: trans.__('GPU Performance'),
      caption: trans.__('Show what the GPU does, and run benchmarks'),
      icon: chipIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => app.shell.activateById(panel.id)
    });
    palette?.addItem({
      command: CommandIDs.openPanel,
      category: trans.__('GPU')
    });
  }
};
