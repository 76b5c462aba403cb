import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Rest } from '../api/rest';
import { DoctorModel } from '../model/doctor';
import { JobsModel } from '../model/jobs';
import { LiveModel } from '../model/live';
import { AlertNotifier } from '../model/alertNotifier';
import { ProcessesModel } from '../model/processes';
import { RecordingsModel } from '../model/recordings';
import { TrainingModel } from '../model/training';
import { setDocumentationUrl } from '../documentation';
import { IGpuPerf, PLUGIN_ID } from '../tokens';
import { NAMESPACE, setTranslation } from '../translation';
import { devicePrefix } from '../view/alerts';
import { translate } from '../view/translate';
import { followSettings, translateSettings } from './settings';

/** Provides the shared stream and the shared list of jobs; applies the settings. */
export const modelPlugin: JupyterFrontEndPlugin<IGpuPerf> = {
  id: PLUGIN_ID,
  description:
    'Provides the live readings of the GPUs, and the benchmark jobs.',
  autoStart: true,
  provides: IGpuPerf,
  optional: [ISettingRegistry, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    settings: ISettingRegistry | null,
    translator: ITranslator | null
  ): IGpuPerf => {
    setTranslation((translator ?? nullTranslator).load(NAMESPACE));
    const rest = new Rest(app.serviceManager.serverSettings);
    const live = new LiveModel(rest);
    const notifier = new AlertNotifier(live, alerts => {
      const [alert] = alerts;
      const message = `${devicePrefix(alerts, live)}${translate(alert, 'summary')} ${translate(alert, 'advice')}`;
      const type = alert.severity === 'critical' ? 'error' : 'warning';
      Notification.emit(message, type, { autoClose: 15000 });
    });
    if (settings !== null) {
      translateSettings(settings); // before anything loads them
      followSettings(settings, rest, composite => {
        live.intervalMs = Number(composite.intervalMs) || live.intervalMs;
        notifier.enabled = composite.notifications !== false;
        setDocumentationUrl(composite.documentationUrl);
      });
    }
    return {
      rest,
      live,
      jobs: new JobsModel(rest, live),
      processes: new ProcessesModel(rest),
      recordings: new RecordingsModel(rest, live),
      doctor: new DoctorModel(rest),
      training: new TrainingModel(rest, live)
    };
  }
};
