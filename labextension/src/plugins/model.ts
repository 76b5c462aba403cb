import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ISettingRegistry } from '@jupyterlab/settingregistry';

import { Rest } from '../api/rest';
import { JobsModel } from '../model/jobs';
import { LiveModel } from '../model/live';
import { IGpuPerf, PLUGIN_ID } from '../tokens';

/** Provides the one stream and the one list of jobs; carries the settings. */
export const modelPlugin: JupyterFrontEndPlugin<IGpuPerf> = {
  id: PLUGIN_ID,
  description:
    'Provides the live readings of the GPUs, and the benchmark jobs.',
  autoStart: true,
  provides: IGpuPerf,
  optional: [ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    settings: ISettingRegistry | null
  ): IGpuPerf => {
    const rest = new Rest(app.serviceManager.serverSettings);
    const live = new LiveModel(rest);
    if (settings !== null) {
      settings
        .load(PLUGIN_ID)
        .then(loaded => {
          const apply = () => {
            live.intervalMs = loaded.get('intervalMs').composite as number;
          };
          loaded.changed.connect(apply);
          apply();
        })
        .catch(error => {
          console.warn(
            'The settings of the GPU panel could not be read.',
            error
          );
        });
    }
    return { live, jobs: new JobsModel(rest) };
  }
};
