import * as React from 'react';

/** A paragraph in small, muted type. */
export function Note(
  props: React.HTMLAttributes<HTMLParagraphElement>
): JSX.Element {
  return <p className="jp-GpuPerf-note" {...props} />;
}

/** A button in JupyterLab's style. */
export function Button(
  props: React.ButtonHTMLAttributes<HTMLButtonElement>
): JSX.Element {
  return <button className="jp-mod-styled" {...props} />;
}
