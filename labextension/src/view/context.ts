import type { KernelSpec } from '@jupyterlab/services';
import type { IStateDB } from '@jupyterlab/statedb';
import * as React from 'react';

import type { KernelInfo } from '../api/generated';
import type { IGpuPerf } from '../tokens';

/** Actions on a notebook's kernel; each asks for confirmation if something would be lost. */
export interface IKernelActions {
  open(path: string): void;
  interrupt(kernel: KernelInfo): void;
  restart(kernel: KernelInfo): void;
  shutDown(kernel: KernelInfo): void;
}

/** What all parts of the panel can use. */
export interface IPanelContext extends IGpuPerf {
  readonly kernelspecs: KernelSpec.IManager;
  readonly actions: IKernelActions;
  openDashboard(): void;
  /** Put code into a new cell below the active one; without a notebook, show a message. */
  insertCode(code: string): Promise<void>;
  /** Write a line at the prompt of a new terminal, without running it. */
  writeInTerminal(line: string): Promise<void>;
  /** Ask for confirmation before something is lost. */
  confirm(title: string, body: string, accept: string): Promise<boolean>;
  /** Stores which sections are folded; without it, a reload of the page forgets this. */
  readonly state: IStateDB | null;
}

/** Provided by the panel; its parts take what they need. */
export const PanelContext = React.createContext<IPanelContext | null>(null);

export function usePanel(): IPanelContext {
  return React.useContext(PanelContext)!;
}
