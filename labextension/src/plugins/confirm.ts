import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';

/** Ask for confirmation before something is lost. */
export async function confirm(
  title: string,
  body: string,
  accept: string
): Promise<boolean> {
  const buttons = [Dialog.cancelButton(), Dialog.warnButton({ label: accept })];
  return (await showDialog({ title, body, buttons })).button.accept;
}

/** Show for a few seconds why something could not be done. */
export function inform(message: string): void {
  Notification.info(message, { autoClose: 5000 });
}
