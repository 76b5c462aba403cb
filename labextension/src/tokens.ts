import { Token } from '@lumino/coreutils';

import type { JobsModel } from './model/jobs';
import type { LiveModel } from './model/live';
import type { ProcessesModel } from './model/processes';

/** The namespace of translations, settings and state. */
export const NAMESPACE = 'jupyter_gpuperf';

/** Where the settings live. */
export const PLUGIN_ID = 'jupyter-gpuperf:plugin';

/** The ids of all commands. */
export const CommandIDs = {
  openPanel: 'gpuperf:open-panel'
} as const;

/** What the plugins share: one stream and one list of jobs, however many views there are. */
export interface IGpuPerf {
  readonly live: LiveModel;
  readonly jobs: JobsModel;
  readonly processes: ProcessesModel;
}

export const IGpuPerf = new Token<IGpuPerf>(
  'jupyter-gpuperf:IGpuPerf',
  'The live readings of the GPUs, and the benchmark jobs.'
);
