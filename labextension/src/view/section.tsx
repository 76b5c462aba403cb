import * as React from 'react';

import { NAMESPACE } from '../translation';
import { usePanel } from './context';
import { Help } from './elements';

interface ISectionProps {
  readonly id: string;
  readonly title: string;
  /** A short text beside the title, visible even while the section is folded. */
  readonly summary?: string | number;
  /** The state until the user changes it. */
  readonly initiallyOpen?: boolean;
  /** Its page in the documentation. */
  readonly help: string;
  readonly children: React.ReactNode;
}

/** A part of the panel that can be folded, and remembers its state. */
export function Section(props: ISectionProps): JSX.Element {
  const { id, title, summary, initiallyOpen = true, help, children } = props;
  const [open, setOpen] = usePersistent(`section-${id}`, initiallyOpen);
  return (
    <details className="jp-GpuPerf-section" data-section={id} open={open}>
      <Fold open={open} onChange={setOpen}>
        <h3>{title}</h3>
        {summary ? <span className="jp-GpuPerf-note">{summary}</span> : null}
      </Fold>
      <div className="jp-GpuPerf-sectionBody">
        {/* Not in the summary: a button contains no link. */}
        <Help page={help} about={title} />
        {children}
      </div>
    </details>
  );
}

interface IFoldProps {
  readonly open: boolean;
  readonly children: React.ReactNode;
  onChange(open: boolean): void;
}

/**
 * The line that folds and unfolds. It does not use `onToggle`: browsers also send that event for changes by the
 * page itself, so the state at load time would overwrite the stored one.
 */
export function Fold({ open, children, onChange }: IFoldProps): JSX.Element {
  const toggle = (event: React.MouseEvent) => {
    event.preventDefault();
    onChange(!open);
  };
  return <summary onClick={toggle}>{children}</summary>;
}

/** Folded details: always rendered, or with `onChange` only while they are open. */
export function More(props: {
  title: string;
  open?: boolean;
  onChange?: (open: boolean) => void;
  children: React.ReactNode;
  'data-part'?: string;
}): JSX.Element {
  const { title, open, onChange, children, ...attributes } = props;
  return (
    <details className="jp-GpuPerf-all" open={open} {...attributes}>
      {onChange ? (
        <Fold open={open ?? false} onChange={onChange}>
          {title}
        </Fold>
      ) : (
        <summary>{title}</summary>
      )}
      {onChange && !open ? null : children}
    </details>
  );
}

/** Strings, because JupyterLab's state database loses `false` when the page is reloaded. */
const ON = 'on';
const OFF = 'off';

/**
 * A switch whose state is kept when the page is reloaded. `unset` is its state when nothing is kept;
 * `initial` that until this is known.
 */
export function usePersistent(
  name: string,
  initial: boolean,
  unset = initial
): [boolean, (value: boolean) => void] {
  const { state } = usePanel();
  const key = `${NAMESPACE}:${name}`;
  const [value, setValue] = React.useState(initial);
  React.useEffect(() => {
    let stale = false;
    void state?.fetch(key).then(stored => {
      if (!stale) {
        setValue(stored === ON || (stored !== OFF && unset));
      }
    });
    return () => {
      stale = true;
    };
  }, [state, key]);
  const change = (next: boolean) => {
    if (next !== value) {
      setValue(next);
      void state?.save(key, next ? ON : OFF);
    }
  };
  return [value, change];
}
