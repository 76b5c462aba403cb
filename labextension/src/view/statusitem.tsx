import { UseSignal } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { shortName } from '../format';
import { chipIcon } from '../icon';
import type { LiveModel } from '../model/live';
import { isMetric } from './device';
import { Figure, Readings } from './figure';
import { SeenWidget } from './seen';
import { connectionInWords } from './words';

const SHOWN = [
  'utilization_percent',
  'memory_used_bytes',
  'temperature_celsius',
  'power_watts'
];

/** The first device in a line: `H100 · 63 % · 12.3 of 80 GiB · 48 °C · 542 W`. */
export class StatusItem extends SeenWidget {
  constructor(
    private readonly live: LiveModel,
    private readonly trans: TranslationBundle,
    private readonly open: () => void
  ) {
    super();
    this.addClass('jp-GpuPerf-statusItem');
  }

  protected render(): JSX.Element {
    return (
      <UseSignal signal={this.live.changed}>
        {() => (
          <button
            onClick={this.open}
            title={this.caption()}
            data-connection={this.live.connection}
            data-stale={this.live.stale}
          >
            <chipIcon.react tag="span" height="14px" width="14px" />
            <Line live={this.live} trans={this.trans} />
          </button>
        )}
      </UseSignal>
    );
  }

  protected onSeen(seen: boolean): void {
    this.live.watch(this, seen);
  }

  /** What a click does; and that what one sees is of the past, when it is. */
  private caption(): string {
    const open = this.trans.__('Open the GPU panel');
    const trouble = connectionInWords(this.trans, this.live);
    return this.live.stale && trouble ? `${trouble}\n${open}` : open;
  }
}

function Line(props: {
  live: LiveModel;
  trans: TranslationBundle;
}): JSX.Element {
  const { live, trans } = props;
  const device = live.devices?.devices[0];
  if (device === undefined) {
    return <span>{live.devices?.reason ? trans.__('No GPU') : '…'}</span>;
  }
  const readings: Readings = live.latest?.devices[device.uuid] ?? {};
  const metrics = SHOWN.map(name => live.metric(name)).filter(isMetric);
  const more = (live.devices?.devices.length ?? 1) - 1;
  return (
    <>
      <span>{shortName(device.name)}</span>
      {metrics.map(metric => (
        <span key={metric.name} data-metric={metric.name}>
          {' · '}
          <Figure
            metric={metric}
            readings={readings}
            trans={trans}
            focusable={false}
            share={metric.unit === 'bytes'} // power's limit would make it long
          />
        </span>
      ))}
      {more > 0 ? <span> {trans.__('and %1 more', more)}</span> : null}
    </>
  );
}
