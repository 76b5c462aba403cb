import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import type { ISignal } from '@lumino/signaling';

/** A widget that knows whether it is visible. If its container is hidden, so is the widget. */
export abstract class VisibilityWidget extends ReactWidget {
  /** Called when the widget becomes visible or hidden. */
  protected abstract onVisibility(visible: boolean): void;

  /** Redraw on every `changed` signal while `visible`. */
  protected drawOn(changed: ISignal<unknown, void>, visible: boolean): void {
    if (visible) {
      changed.connect(this.update, this);
    } else {
      changed.disconnect(this.update, this);
    }
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.onVisibility(this.isVisible);
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.onVisibility(true);
    this.update(); // nothing was drawn while it was hidden
  }

  protected onBeforeHide(message: Message): void {
    super.onBeforeHide(message);
    this.onVisibility(false);
  }

  protected onBeforeDetach(message: Message): void {
    super.onBeforeDetach(message);
    this.onVisibility(false);
  }
}
