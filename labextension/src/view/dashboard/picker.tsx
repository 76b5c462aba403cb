import type { DashboardModel } from '../../model/dashboard';
import { trans } from '../../translation';
import { formatFamily, formatReason } from '../messages';

/** Selects the metrics to show, by family. Metrics that no device has are listed with the reason. */
export function MetricPicker({
  model
}: {
  model: DashboardModel;
}): JSX.Element {
  const shown = new Set(model.metrics.map(metric => metric.name));
  const { available } = model;
  const families = [...new Set(available.map(metric => metric.family))];
  return (
    <details className="jp-GpuPerf-picker">
      <summary>{trans.__('Metrics (%1)', shown.size)}</summary>
      <div>
        {families.map(family => (
          <fieldset key={family}>
            <legend>{formatFamily(family)}</legend>
            {available
              .filter(metric => metric.family === family)
              .map(metric => {
                const reason = model.reasonOf(metric.name);
                const why = reason === null ? '' : formatReason(reason);
                return (
                  <label
                    key={metric.name}
                    title={why || trans.__(metric.help)}
                    data-missing={reason ?? undefined}
                  >
                    <input
                      type="checkbox"
                      name={metric.name}
                      checked={shown.has(metric.name)}
                      onChange={event =>
                        model.toggle(metric.name, event.target.checked)
                      }
                    />
                    {trans.__(metric.label)}
                    {why ? (
                      <span className="jp-GpuPerf-note"> – {why}</span>
                    ) : null}
                  </label>
                );
              })}
          </fieldset>
        ))}
      </div>
    </details>
  );
}
