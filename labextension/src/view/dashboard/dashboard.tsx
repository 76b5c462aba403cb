import * as React from 'react';

import type { DeviceInfo, MetricInfo } from '../../api/generated';
import { shortName } from '../../format';
import { gpuName } from '../gpuName';
import type { DashboardModel } from '../../model/dashboard';
import { HOST } from '../../model/timeline';
import { NoDevice } from '../nodevice';
import { formatError } from '../errors';
import { hostName } from '../replay';
import { VisibilityWidget } from '../visibilityWidget';
import { formatConnection } from '../messages';
import type { ICurve } from './plot';
import { TimeChart } from './timechart';
import { Toolbar } from './toolbar';

interface IDashboardProps {
  readonly model: DashboardModel;
}

/** The charts of all devices, in the main area. It streams only while it is visible. */
export class Dashboard extends VisibilityWidget {
  constructor(private readonly context: IDashboardProps) {
    super();
    this.addClass('jp-GpuPerf-dashboard');
  }

  protected render(): JSX.Element {
    const { model } = this.context;
    return (
      <div className="jp-GpuPerf-content" tabIndex={-1}>
        <Toolbar model={model} />
        <ErrorMessage model={model} />
        <Charts model={model} />
      </div>
    );
  }

  protected onVisibility(visible: boolean): void {
    this.drawOn(this.context.model.changed, visible);
    this.context.model.watch(visible);
  }
}

function ErrorMessage({ model }: IDashboardProps): JSX.Element | null {
  const { live, error } = model;
  const text = error ? formatError(error) : formatConnection(live);
  return text ? (
    <p className="jp-GpuPerf-problem" role="status">
      {text}
    </p>
  ) : null;
}

function Charts({ model }: IDashboardProps): JSX.Element {
  const devices = model.live.deviceList;
  const reason = model.live.devices?.reason;
  const ofDevices = model.metrics.filter(metric => metric.scope === 'device');
  const ofHost = model.metrics.filter(metric => metric.scope === 'host');
  const host = hostName(model.live);
  const overlaid = model.layout === 'overlay';
  const groups = overlaid ? [devices] : devices.map(each => [each]);
  return (
    <>
      {reason ? <NoDevice reason={reason} /> : null}
      <div className="jp-GpuPerf-groups" data-layout={model.layout}>
        {groups
          .filter(group => group.length > 0)
          .map(group => (
            <Group
              key={group[0].uuid}
              title={overlaid ? '' : nameOf(group[0])}
              metrics={ofDevices}
              curves={group.map(device => ({
                key: device.uuid,
                label: overlaid ? gpuName(device) : nameOf(device),
                index: devices.indexOf(device)
              }))}
              model={model}
            />
          ))}
      </div>
      <Group
        title={ofHost.length > 0 ? host : ''}
        metrics={ofHost}
        curves={[{ key: HOST, label: host, index: 0 }]}
        model={model}
      />
    </>
  );
}

function Group(
  props: IDashboardProps & {
    title: string;
    metrics: readonly MetricInfo[];
    curves: readonly ICurve[];
  }
): JSX.Element {
  const { title, metrics, curves, model } = props;
  return (
    <div className="jp-GpuPerf-group">
      {title ? <h2>{title}</h2> : null}
      <div className="jp-GpuPerf-charts">
        {metrics.map(metric => (
          <TimeChart
            key={metric.name}
            metric={metric}
            curves={curves}
            model={model}
          />
        ))}
      </div>
    </div>
  );
}

function nameOf(device: DeviceInfo): string {
  return `${gpuName(device)} · ${shortName(device.name)}`;
}
