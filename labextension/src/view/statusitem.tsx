import { chipIcon } from '../icon';
import type { LiveModel } from '../model/live';
import { IStatusBarSettings, STATUS_BAR_DEFAULTS } from '../model/statusbar';
import { AlertDot } from './alertdot';
import { VisibilityWidget } from './visibilityWidget';
import { captionOf } from './statuscaption';
import { StatusLine } from './statusline';

/** One device in a line, a dot for alerts, and all devices in the tooltip. */
export class StatusItem extends VisibilityWidget {
  settings: IStatusBarSettings = STATUS_BAR_DEFAULTS;

  constructor(
    private readonly live: LiveModel,
    private readonly open: () => void
  ) {
    super();
    this.addClass('jp-GpuPerf-statusItem');
  }

  protected render(): JSX.Element {
    const { live, settings } = this;
    return (
      <button
        onClick={this.open}
        title={captionOf(live, settings)}
        data-connection={live.connection}
        data-stale={live.stale}
      >
        <chipIcon.react tag="span" height="14px" width="14px" />
        <AlertDot groups={live.attention.groups} />
        <StatusLine live={live} settings={settings} />
      </button>
    );
  }

  protected onVisibility(visible: boolean): void {
    this.live.watch(this, visible);
    this.drawOn(this.live.changedThrottled, visible);
  }
}
