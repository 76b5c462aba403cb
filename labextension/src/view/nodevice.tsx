import * as React from 'react';

import type { NoDevices } from '../api/generated';
import { trans } from '../translation';
import { translate } from './translate';
import { Note } from './elements';

/** The parts of a command; in a narrow panel, it wraps between them. */
const REPLAY_COMMAND = [
  'JUPYTER_GPUPERF_SOURCE=',
  'replay:',
  'h100_healthy_resnet50_bf16.jsonl.gz',
  ' jupyter lab'
];

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
          <code>
            {REPLAY_COMMAND.map(part => (
              <React.Fragment key={part}>
                {part}
                <wbr />
              </React.Fragment>
            ))}
          </code>
        </Note>
      )}
    </div>
  );
}
