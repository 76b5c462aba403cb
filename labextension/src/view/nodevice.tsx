import type { NoDevices } from '../api/generated';
import { trans } from '../translation';
import { translate } from './translate';
import { Note } from './elements';

const DEMO_COMMAND = 'jupyter gpuperf demo';

/** Why there is no device: what was looked for, and what to type. */
export function NoDevice(props: { reason: NoDevices }): JSX.Element {
  const { reason } = props;
  return (
    <div className="jp-GpuPerf-absent" data-reason={reason.code}>
      <p>
        <strong>{translate(reason, 'message')}</strong>
      </p>
      {reason.hint ? <p>{translate(reason, 'hint')}</p> : null}
      {reason.code === 'starting' ? null : (
        <Note>
          {trans.__(
            'To try the panel without a GPU, replay an H100 recording:'
          )}
          <code>{DEMO_COMMAND}</code>
        </Note>
      )}
    </div>
  );
}
