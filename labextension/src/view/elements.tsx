import * as React from 'react';

import { documentationUrl } from '../documentation';
import { trans } from '../translation';

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

/** A link to a page of the documentation; null if it is not known where that is. */
export function Help(props: {
  page: string;
  about: string;
}): JSX.Element | null {
  const label = trans.__('Help: %1', props.about);
  return documentationUrl ? (
    <a
      className="jp-GpuPerf-help"
      href={`${documentationUrl}${props.page}.html`}
      target="_blank"
      rel="noreferrer"
      title={label}
      aria-label={label}
    >
      ?
    </a>
  ) : null;
}
