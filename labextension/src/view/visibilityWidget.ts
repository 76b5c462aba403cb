import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import type { ISignal } from '@lumino/signaling';

/** A widget that knows whether it is visible; if its container is hidden, it is hidden too. */
export abstract class VisibilityWidget extends ReactWidget {
  /** Called when it becomes visible or hidden. */
  protected abstract onSeen(seen: boolean): void;

  /** Redraw on every `changed` signal, or stop doing so. */
  protected drawOn(changed: ISignal<unknown, void>, seen: boolean): void {
    if (seen) {
      changed.connect(this.update, this);
    } else {
      changed.disconnect(this.update, this);
    }
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.onSeen(this.isVisible);
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.onSeen(true);
    this.update(); // nothing was drawn while it was hidden
  }

  protected onBeforeHide(message: Message): void {
    super.onBeforeHide(message);
    this.onSeen(false);
  }

  protected onBeforeDetach(message: Message): void {
    super.onBeforeDetach(message);
    this.onSeen(false);
  }
}
