import { Clipboard } from '@jupyterlab/apputils';
import * as React from 'react';

import { visibleCode } from '../model/foreignText';
import { trans } from '../translation';
import { usePanel } from './context';
import { Button } from './elements';

/** Code with buttons to copy it or insert it into the notebook. */
export function Code({ code }: { code: string }): JSX.Element {
  const { insertCode } = usePanel();
  return (
    <>
      <pre className="jp-GpuPerf-code" tabIndex={0}>
        {code.trimEnd()}
      </pre>
      <div className="jp-GpuPerf-findingActions">
        <CopyButton text={code} />
        <Button
          data-action="insert"
          title={trans.__('Insert into a new cell below the active one')}
          onClick={() => void insertCode(code.trimEnd())}
        >
          {trans.__('Insert below')}
        </Button>
      </div>
    </>
  );
}

/** Copies a text, and confirms it. */
export function CopyButton({ text }: { text: string }): JSX.Element {
  const [copied, setCopied] = React.useState(false);
  const copy = () => {
    Clipboard.copyToSystem(visibleCode(text));
    setCopied(true);
  };
  return (
    <Button data-action="copy" onClick={copy}>
      {copied ? trans.__('Copied') : trans.__('Copy')}
    </Button>
  );
}
