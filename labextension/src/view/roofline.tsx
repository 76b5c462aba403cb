import * as React from 'react';

import { formatQuantity, labelOf, significant } from '../format';
import { percent } from '../model/export';
import type { IRoof } from '../model/limits';
import { trans, translated } from '../translation';
import { ChartTable } from './chartTable';
import { Drawing } from './drawing';
import { Note } from './elements';

const HEIGHT = 60;

/** The figures relative to the limits of memory and compute units, on logarithmic axes. */
export function Roofline(props: { roofs: readonly IRoof[] }): JSX.Element {
  const { roofs } = props;
  const all = roofs.flatMap(each => [
    each.intensity,
    each.peak / each.bandwidth
  ]);
  const [left, right] = [Math.min(...all) / 8, Math.max(...all) * 8];
  const rates = roofs.flatMap(each => [each.achieved, each.peak]);
  const [bottom, top] = [Math.min(...rates) / 4, Math.max(...rates) * 1.5];
  const x = (value: number) =>
    (100 * Math.log(value / left)) / Math.log(right / left);
  const y = (value: number) =>
    HEIGHT * (1 - Math.log(value / bottom) / Math.log(top / bottom));
  const rate = (value: number) => formatQuantity(value, 'flops_per_second');
  const bound = (each: IRoof) =>
    each.boundByMemory ? trans.__('memory-bound') : trans.__('compute-bound');
  return (
    <div className="jp-GpuPerf-roofline">
      <Drawing size={[100, HEIGHT]} height={HEIGHT}>
        {roofs.map(({ name, intensity, achieved, peak, bandwidth }) => (
          <React.Fragment key={name}>
            <path
              d={`M${x(left)} ${y(left * bandwidth)}L${x(peak / bandwidth)} ${y(peak)}H100`}
            />
            <path
              className="jp-mod-point"
              d={`M${x(intensity)} ${y(achieved)}h0`}
            />
          </React.Fragment>
        ))}
      </Drawing>
      {roofs.map(each => (
        <Note key={each.name}>
          {trans.__(
            '%1: %2 FLOP/byte, %3, %4 of the limit',
            labelOf(each.name, translated),
            significant(each.intensity),
            bound(each),
            percent(each.achieved / each.attainable)
          )}
        </Note>
      ))}
      <ChartTable
        caption={trans.__('Roofline')}
        head={[
          trans.__('metric'),
          trans.__('FLOP/byte'),
          trans.__('achieved'),
          trans.__('limit')
        ]}
        rows={roofs.map(each => [
          each.name,
          significant(each.intensity),
          rate(each.achieved),
          rate(each.attainable)
        ])}
      />
    </div>
  );
}
