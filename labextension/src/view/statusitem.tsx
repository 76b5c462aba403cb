import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { shortName } from '../format';
import { chipIcon } from '../icon';
import type { LiveModel } from '../model/live';
import { isMetric, MAIN_METRICS } from './device';
import { Figure, Readings } from './figure';

/** The first device in a line: `H100 · 63 % · 12.3 of 80 GiB · 542 of 700 W · 48 °C`. */
export class StatusItem extends ReactWidget {
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
            title={this.trans.__('Open the GPU panel')}
            data-connection={this.live.connection}
          >
            <chipIcon.react tag="span" height="14px" width="14px" />
            <Line live={this.live} trans={this.trans} />
          </button>
        )}
      </UseSignal>
    );
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
  const metrics = MAIN_METRICS.map(name => live.metric(name)).filter(isMetric);
  const more = (live.devices?.devices.length ?? 1) - 1;
  return (
    <>
      <span>{shortName(device.name)}</span>
      {metrics.map(metric => (
        <span key={metric.name} data-metric={metric.name}>
          {' · '}
          <Figure metric={brief(metric)} readings={readings} trans={trans} />
        </span>
      ))}
      {more > 0 ? <span> {trans.__('and %1 more', more)}</span> : null}
    </>
  );
}

/** Only memory keeps its total: power's limit would make the line long. */
function brief<T extends { unit: string; maximum_metric: string | null }>(
  metric: T
): T {
  return metric.unit === 'bytes' ? metric : { ...metric, maximum_metric: null };
}
