import type { IStateDB } from '@jupyterlab/statedb';
import * as React from 'react';

import { NAMESPACE } from '../tokens';

interface ISectionProps {
  readonly id: string;
  readonly title: string;
  /** A few words beside the title, seen also while it is folded. */
  readonly note?: string;
  readonly state: IStateDB | null;
  readonly children: React.ReactNode;
}

/** A part of the panel that folds, and remembers it. */
export function Section(props: ISectionProps): JSX.Element {
  const { id, title, note, state, children } = props;
  const [open, setOpen] = useRemembered(state, `section-${id}`, true);
  return (
    <details
      className="jp-GpuPerf-section"
      data-section={id}
      open={open}
      onToggle={event => setOpen(event.currentTarget.open)}
    >
      <summary>
        <h3>{title}</h3>
        {note ? <span className="jp-GpuPerf-note">{note}</span> : null}
      </summary>
      <div className="jp-GpuPerf-sectionBody">{children}</div>
    </details>
  );
}

/** A switch whose position outlives the page. */
export function useRemembered(
  state: IStateDB | null,
  name: string,
  initial: boolean
): [boolean, (value: boolean) => void] {
  const key = `${NAMESPACE}:${name}`;
  const [value, setValue] = React.useState(initial);
  React.useEffect(() => {
    let stale = false;
    void state?.fetch(key).then(kept => {
      if (!stale && typeof kept === 'boolean') {
        setValue(kept);
      }
    });
    return () => {
      stale = true;
    };
  }, [state, key]);
  const change = (next: boolean) => {
    if (next !== value) {
      setValue(next);
      void state?.save(key, next);
    }
  };
  return [value, change];
}
