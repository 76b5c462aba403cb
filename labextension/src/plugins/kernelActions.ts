import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Dialog, showDialog, showErrorMessage } from '@jupyterlab/apputils';
import { KernelAPI } from '@jupyterlab/services';

import type { KernelInfo } from '../api/generated';
import type { IKernelActions } from '../view/context';
import { trans } from '../translation';

/** Open, interrupt, restart and shut down, by the server's own routes. */
export function kernelActions(
  app: JupyterFrontEnd,
  done: () => void
): IKernelActions {
  const settings = app.serviceManager.serverSettings;
  const attempt = async (action: () => Promise<unknown>): Promise<void> => {
    try {
      await action();
    } catch (error) {
      void showErrorMessage(trans.__('It could not be done'), error as Error);
    }
    done();
  };
  const confirmed = async (
    kernel: KernelInfo,
    title: string,
    accept: string
  ): Promise<boolean> => {
    const name = kernel.notebook_path ?? kernel.kernel_name;
    const answer = await showDialog({
      title,
      body: trans.__(
        'All variables of %1 are lost, and the memory that it holds is freed.',
        name
      ),
      buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: accept })]
    });
    return answer.button.accept;
  };
  return {
    open: path => {
      void app.commands.execute('docmanager:open', { path });
    },
    interrupt: kernel => {
      void attempt(() => KernelAPI.interruptKernel(kernel.kernel_id, settings));
    },
    restart: async kernel => {
      const title = trans.__('Restart the kernel?');
      if (await confirmed(kernel, title, trans.__('Restart'))) {
        await attempt(() =>
          KernelAPI.restartKernel(kernel.kernel_id, settings)
        );
      }
    },
    shutDown: async kernel => {
      const title = trans.__('Shut down the kernel?');
      if (await confirmed(kernel, title, trans.__('Shut down'))) {
        await attempt(() =>
          KernelAPI.shutdownKernel(kernel.kernel_id, settings)
        );
      }
    }
  };
}
