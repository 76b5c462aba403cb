import {
  ILabShell,
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IStateDB } from '@jupyterlab/statedb';

import { attempt } from '../api/rest';
import { chipIcon } from '../icon';
import { CommandIDs, IGpuPerf } from '../tokens';
import { trans } from '../translation';
import { GpuPanel } from '../view/panel';
import { confirm } from './confirm';
import { codeInserter } from './insertCode';
import { terminalWriter } from './terminal';
import { kernelActions } from './kernelActions';

/** The position in the sidebar: after JupyterLab's own panels. */
const RANK = 700;

/** Adds the panel, and the command that opens it. */
export const panelPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-gpuperf:panel',
  description: 'The GPU panel.',
  autoStart: true,
  requires: [IGpuPerf],
  optional: [IStateDB, ILayoutRestorer, ICommandPalette, ILabShell],
  activate: (
    app: JupyterFrontEnd,
    gpuperf: IGpuPerf,
    state: IStateDB | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    labShell: ILabShell | null
  ): void => {
    const kernelspecs = app.serviceManager.kernelspecs;
    const actions = kernelActions(app, () => {
      void gpuperf.processes.refresh();
    });
    const panel = new GpuPanel({
      ...gpuperf,
      state,
      kernelspecs,
      actions,
      confirm,
      insertCode: codeInserter(app),
      writeInTerminal: terminalWriter(app),
      openDashboard: () => void app.commands.execute(CommandIDs.openDashboard)
    });
    // Notebook 7 reserves its left side for the table of contents.
    app.shell.add(panel, labShell ? 'left' : 'right', { rank: RANK });
    restorer?.add(panel, panel.id);
    app.commands.addCommand(CommandIDs.openPanel, {
      label: trans.__('GPU Performance'),
      caption: trans.__('Monitor GPUs and run benchmarks'),
      icon: chipIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => app.shell.activateById(panel.id)
    });
    void attempt(async () => {
      await app.restored; // which restores the state of the sidebar
      if ((await gpuperf.rest.version()).open_panel) {
        app.shell.activateById(panel.id);
      }
    });
    palette?.addItem({
      command: CommandIDs.openPanel,
      category: trans.__('GPU')
    });
  }
};
