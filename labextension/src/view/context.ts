import type { KernelSpec } from '@jupyterlab/services';
import type { IStateDB } from '@jupyterlab/statedb';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IGpuPerf } from '../tokens';
import type { IKernelActions } from './processes';

/** What every part of the panel may use. */
export interface IPanelContext extends IGpuPerf {
  readonly trans: TranslationBundle;
  readonly kernelspecs: KernelSpec.IManager;
  readonly actions: IKernelActions;
  openDashboard(): void;
  /** Put code into a new cell below the active one; without a notebook, say so. */
  insertCode(code: string): Promise<void>;
  /** Write a line at the prompt of a new terminal, without running it. */
  writeInTerminal(line: string): Promise<void>;
  /** Ask before something is lost. */
  confirm(title: string, body: string, accept: string): Promise<boolean>;
  /** Where folds are remembered; a page without one forgets them. */
  readonly state: IStateDB | null;
}
