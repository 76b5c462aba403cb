import type { LoopSteps } from '../api/generated';
import { grouped } from '../format';
import { trans } from '../translation';
import { Note } from './elements';

/** `12 300 tokens/s · 41 % of bf16 peak`, as far as it is known. */
export function formatWorth(steps: LoopSteps): string {
  const { tokens_per_second: tokens, flops_utilization_ratio: used } = steps;
  return [
    tokens && trans.__('%1 tokens/s', grouped(tokens)),
    used &&
      trans.__('%1 % of %2 peak', (100 * used).toFixed(0), steps.flops_format)
  ]
    .filter(Boolean)
    .join(' · ');
}

/** Tokens a second, and the model FLOPs over the device's peak. */
export function StepWorth(props: {
  readonly steps: LoopSteps;
}): JSX.Element | null {
  const { steps } = props;
  const worth = formatWorth(steps);
  const held = steps.flops_utilization_at_clock_ratio;
  return worth ? (
    <Note
      data-worth
      title={
        trans.__('Model FLOPs, of the data sheet’s dense peak') +
        (held
          ? trans.__('; %1 % at the GPU’s clock', (100 * held).toFixed(0))
          : '')
      }
    >
      {worth}
    </Note>
  ) : null;
}
