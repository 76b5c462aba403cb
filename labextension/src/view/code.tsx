import * as React from 'react';
import { trans } from '../translation';

interface ICodeProps {
  readonly code: string;
  /** Put it into a new cell of the notebook. */
  insertCode(code: string): Promise<void>;
}

/** Code to take over: to copy, or right into the notebook. */
export function Code(props: ICodeProps): JSX.Element {
  const { code, insertCode } = props;
  const [copied, setCopied] = React.useState(false);
  return (
    <>
      <pre className="jp-GpuPerf-code">{code.trimEnd()}</pre>
      <div className="jp-GpuPerf-findingActions">
        <button
          className="jp-mod-styled"
          data-action="copy"
          onClick={() => {
            void navigator.clipboard
              .writeText(code)
              .then(() => setCopied(true));
          }}
        >
          {copied ? trans.__('Copied') : trans.__('Copy')}
        </button>
        <button
          className="jp-mod-styled"
          data-action="insert"
          title={trans.__('Into a new cell below the active one')}
          onClick={() => void insertCode(code.trimEnd())}
        >
          {trans.__('Insert below the cell')}
        </button>
      </div>
    </>
  );
}
