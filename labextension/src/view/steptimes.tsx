import type { LoopSteps } from '../api/generated';
import { formatQuantity } from '../format';
import { trans } from '../translation';
import { Bars } from './distribution';
import { Drawing } from './drawing';

/** The minimum height, so that bars with few steps stay visible. */
const LEAST_HEIGHT = 0.06;

interface IStepTimesProps {
  readonly steps: LoopSteps;
}

/** The duration of the last steps: the mean, and the distribution. */
export function StepTimes({ steps }: IStepTimesProps): JSX.Element {
  const most = Math.max(1, ...steps.bins.map(bin => bin.count));
  const first = steps.bins[0]?.low_seconds ?? steps.step_seconds;
  const last = steps.bins[steps.bins.length - 1]?.high_seconds ?? first;
  // Bins have equal width on a logarithmic scale; empty ones keep their space, too.
  const place = (seconds: number) => Math.round(4 * Math.log2(seconds / first));
  const width = Math.max(1, place(last));
  const spread = trans.__(
    '%1 to %2',
    formatDuration(first),
    formatDuration(last)
  );
  return (
    <div className="jp-GpuPerf-steptimes">
      <span>
        {trans.__('step')}{' '}
        <span className="jp-GpuPerf-number" data-figure="step_seconds">
          {formatDuration(steps.step_seconds)}
        </span>
      </span>
      <Drawing size={[width, 1]} label={trans.__('Step times: %1', spread)}>
        <Bars
          all={steps.bins.map(bin => [
            place(bin.low_seconds),
            Math.max(LEAST_HEIGHT, bin.count / most)
          ])}
        />
      </Drawing>
      <span className="jp-GpuPerf-note">{spread}</span>
    </div>
  );
}

function formatDuration(seconds: number): string {
  return formatQuantity(seconds, 'seconds');
}
