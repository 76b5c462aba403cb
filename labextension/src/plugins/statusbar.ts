import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';

import { statusBarSettingsOf } from '../model/statusbar';
import { CommandIDs, IGpuPerf } from '../tokens';
import { StatusItem } from '../view/statusitem';
import { followSettings } from './settings';

const ITEM_ID = 'jupyter-gpuperf:status';

/** Adds the status bar item, if there is a status bar. */
export const statusBarPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-gpuperf:statusbar',
  description: 'The GPU in the status bar.',
  autoStart: true,
  requires: [IGpuPerf],
  optional: [IStatusBar, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    gpuperf: IGpuPerf,
    statusBar: IStatusBar | null,
    settings: ISettingRegistry | null
  ): void => {
    if (statusBar === null) {
      return;
    }
    let shown = settings === null;
    const open = () => void app.commands.execute(CommandIDs.openPanel);
    const item = new StatusItem(gpuperf.live, open);
    statusBar.registerStatusItem(ITEM_ID, {
      item,
      align: 'left',
      rank: 900,
      isActive: () => shown
    });
    if (settings !== null) {
      followSettings(settings, gpuperf.rest, composite => {
        item.settings = statusBarSettingsOf(composite);
        item.update();
        shown = composite.showInStatusBar !== false;
        item.setHidden(!shown); // a hidden item releases the stream
      });
    }
  }
};
