import type { JupyterFrontEnd } from '@jupyterlab/application';
import { showErrorMessage } from '@jupyterlab/apputils';
import { KernelAPI } from '@jupyterlab/services';

import type { KernelInfo } from '../api/generated';
import type { IKernelActions } from '../view/context';
import { confirm } from './confirm';
import { trans } from '../translation';

/** Open notebooks; interrupt, restart and shut down kernels, using the server's own routes. */
export function kernelActions(
  app: JupyterFrontEnd,
  done: () => void
): IKernelActions {
  const settings = app.serviceManager.serverSettings;
  const perform = async (action: () => Promise<unknown>): Promise<void> => {
    try {
      await action();
    } catch (error) {
      void showErrorMessage(trans.__('Action failed'), error as Error);
    }
    done();
  };
  const confirmAndPerform = async (
    kernel: KernelInfo,
    title: string,
    accept: string,
    action: typeof KernelAPI.shutdownKernel
  ): Promise<void> => {
    const body = trans.__(
      'All variables in %1 are lost and its memory is freed.',
      kernel.notebook_path ?? kernel.kernel_name
    );
    if (await confirm(title, body, accept)) {
      await perform(() => action(kernel.kernel_id, settings));
    }
  };
  return {
    open: path => {
      void app.commands.execute('docmanager:open', { path });
    },
    interrupt: kernel => {
      void perform(() => KernelAPI.interruptKernel(kernel.kernel_id, settings));
    },
    restart: kernel => {
      const title = trans.__('Restart kernel?');
      void confirmAndPerform(
        kernel,
        title,
        trans.__('Restart'),
        KernelAPI.restartKernel
      );
    },
    shutDown: kernel => {
      const title = trans.__('Shut down kernel?');
      void confirmAndPerform(
        kernel,
        title,
        trans.__('Shut down'),
        KernelAPI.shutdownKernel
      );
    }
  };
}
