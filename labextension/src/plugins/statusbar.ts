import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs, IGpuPerf, NAMESPACE, PLUGIN_ID } from '../tokens';
import { StatusItem } from '../view/statusitem';

const ITEM_ID = 'jupyter-gpuperf:status';

/** Adds the status bar's item, where there is a status bar. */
export const statusBarPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-gpuperf:statusbar',
  description: 'The GPU in the status bar.',
  autoStart: true,
  requires: [IGpuPerf],
  optional: [IStatusBar, ISettingRegistry, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    { live }: IGpuPerf,
    statusBar: IStatusBar | null,
    settings: ISettingRegistry | null,
    translator: ITranslator | null
  ): void => {
    if (statusBar === null) {
      return;
    }
    const trans = (translator ?? nullTranslator).load(NAMESPACE);
    let shown = settings === null;
    const open = () => void app.commands.execute(CommandIDs.openPanel);
    const item = new StatusItem(live, trans, open);
    const follow = () => live.watch(item, shown);
    statusBar.registerStatusItem(ITEM_ID, {
      item,
      align: 'left',
      rank: 900,
      isActive: () => shown,
      activeStateChanged: live.changed
    });
    if (settings !== null) {
      void settings.load(PLUGIN_ID).then(loaded => {
        const apply = () => {
          shown = loaded.get('showInStatusBar').composite as boolean;
          item.setHidden(!shown);
          follow();
        };
        loaded.changed.connect(apply);
        apply();
      });
    }
    follow();
  }
};
