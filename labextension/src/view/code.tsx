import { Clipboard } from '@jupyterlab/apputils';
import * as React from 'react';

import { trans } from '../translation';
import { usePanel } from './context';

/** Code with buttons to copy it or insert it into the notebook. */
export function Code({ code }: { code: string }): JSX.Element {
  const { insertCode } = usePanel();
  return (
    <>
      <pre className="jp-GpuPerf-code">{code.trimEnd()}</pre>
      <div className="jp-GpuPerf-findingActions">
        <CopyButton text={code} />
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

/** Copies a text, and confirms it. */
export function CopyButton({ text }: { text: string }): JSX.Element {
  const [copied, setCopied] = React.useState(false);
  const copy = () => {
    Clipboard.copyToSystem(text);
    setCopied(true);
  };
  return (
    <button className="jp-mod-styled" data-action="copy" onClick={copy}>
      {copied ? trans.__('Copied') : trans.__('Copy')}
    </button>
  );
}
