import type { KernelSpec } from '@jupyterlab/services';
import type { IStateDB } from '@jupyterlab/statedb';
import * as React from 'react';

import type { KernelInfo } from '../api/generated';
import type { IGpuPerf } from '../tokens';

/** What can be done with a notebook's kernel; each asks first where something is lost. */
export interface IKernelActions {
  open(path: string): void;
  interrupt(kernel: KernelInfo): void;
  restart(kernel: KernelInfo): void;
  shutDown(kernel: KernelInfo): void;
}

/** What every part of the panel may use. */
export interface IPanelContext extends IGpuPerf {
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

/** What the panel brings; the parts below it take from it what they need. */
export const PanelContext = React.createContext<IPanelContext | null>(null);

export function usePanel(): IPanelContext {
  return React.useContext(PanelContext)!;
}
