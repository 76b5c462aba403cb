import { Token } from '@lumino/coreutils';

import type { Rest } from './api/rest';
import type { DoctorModel } from './model/doctor';
import type { JobsModel } from './model/jobs';
import type { LiveModel } from './model/live';
import type { ProcessesModel } from './model/processes';
import type { RecordingsModel } from './model/recordings';
import type { TrainingModel } from './model/training';

/** The id under which the settings are stored. */
export const PLUGIN_ID = 'jupyter-gpuperf:plugin';

/** The ids of all commands. */
export const CommandIDs = {
  openPanel: 'gpuperf:open-panel',
  openDashboard: 'gpuperf:open-dashboard'
} as const;

/** The keys that open the panel; the same as in schema/plugin.json. */
export const SHORTCUT = 'Alt+Shift+G';

/** Shared by the plugins: one stream and one list of jobs, however many views there are. */
export interface IGpuPerf {
  readonly live: LiveModel;
  readonly jobs: JobsModel;
  readonly processes: ProcessesModel;
  readonly recordings: RecordingsModel;
  readonly doctor: DoctorModel;
  readonly training: TrainingModel;
  readonly rest: Rest;
}

export const IGpuPerf = new Token<IGpuPerf>(
  'jupyter-gpuperf:IGpuPerf',
  'The live readings of the GPUs, and the benchmark jobs.'
);
