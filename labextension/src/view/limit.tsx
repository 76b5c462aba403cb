import { formatQuantity, unitOf } from '../format';
import { percent } from '../model/export';
import { shareOf } from '../model/limits';
import { trans } from '../translation';

interface ILimitProps {
  readonly name: string;
  readonly value: number;
  readonly limit: number;
  /** The best value stored on this machine; undefined if it is not known. */
  readonly best: number | undefined;
}

/** A figure as a bar relative to the chip's limit, with a mark at this machine's best value. */
export function Limit(props: ILimitProps): JSX.Element {
  const { name, value, limit, best } = props;
  const share = shareOf(name, value, limit);
  const whole = formatQuantity(limit, unitOf(name));
  const facts = [
    name.endsWith('_seconds')
      ? trans.__('%1 of the limit (minimum %2)', percent(share), whole)
      : trans.__('%1 of %2', percent(share), whole)
  ];
  if (best !== undefined) {
    facts.push(
      value < best
        ? trans.__('%1 of the best on this machine', percent(value / best))
        : trans.__('best on this machine')
    );
  }
  const width = (ratio: number) => `${100 * Math.min(1, ratio)}%`;
  return (
    <div data-limit={name}>
      <div className="jp-GpuPerf-track" aria-hidden="true">
        <div style={{ width: width(share) }} />
        {best !== undefined ? (
          <i style={{ left: width(shareOf(name, best, limit)) }} />
        ) : null}
      </div>
      <span className="jp-GpuPerf-note">{facts.join(' · ')}</span>
    </div>
  );
}
