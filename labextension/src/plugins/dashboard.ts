import {
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  ICommandPalette,
  MainAreaWidget,
  WidgetTracker
} from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { IStateDB } from '@jupyterlab/statedb';

import { chipIcon } from '../icon';
import { DashboardModel } from '../model/dashboard';
import { CommandIDs, IGpuPerf } from '../tokens';
import { trans } from '../translation';
import { Dashboard } from '../view/dashboard/dashboard';

const WIDGET_ID = 'jp-gpuperf-dashboard';

/** Adds the dashboard, and the command that opens it. */
export const dashboardPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-gpuperf:dashboard',
  description: 'The GPU dashboard.',
  autoStart: true,
  requires: [IGpuPerf],
  optional: [IStateDB, ILayoutRestorer, ICommandPalette, ILauncher],
  activate: (
    app: JupyterFrontEnd,
    gpuperf: IGpuPerf,
    state: IStateDB | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null
  ): void => {
    const tracker = new WidgetTracker<MainAreaWidget<Dashboard>>({
      namespace: 'gpuperf-dashboard'
    });
    const create = () => {
      const model = new DashboardModel(gpuperf.live, gpuperf.rest, state);
      const widget = new MainAreaWidget({
        content: new Dashboard({ model })
      });
      widget.id = WIDGET_ID;
      widget.title.label = trans.__('GPU Dashboard');
      widget.title.icon = chipIcon;
      widget.title.closable = true;
      return widget;
    };
    let widget: MainAreaWidget<Dashboard> | null = null;
    app.commands.addCommand(CommandIDs.openDashboard, {
      label: trans.__('GPU Dashboard'),
      caption: trans.__('Charts of all readings, up to 24 hours back'),
      icon: chipIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: async () => {
        if (widget === null || widget.isDisposed) {
          widget = create();
        }
        if (!widget.isAttached) {
          app.shell.add(widget, 'main');
        }
        if (!tracker.has(widget)) {
          await tracker.add(widget);
        }
        app.shell.activateById(widget.id);
      }
    });
    const place = { command: CommandIDs.openDashboard };
    palette?.addItem({ ...place, category: trans.__('GPU') });
    launcher?.add({ ...place, category: trans.__('Other'), rank: 50 });
    void restorer?.restore(tracker, { ...place, name: () => 'dashboard' });
  }
};
