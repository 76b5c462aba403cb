import * as React from 'react';

interface IDrawingProps {
  /** The size in the drawing's own units. */
  readonly size: readonly [number, number];
  /** The height on the page, in pixels; by default, the style sheet's. */
  readonly height?: number;
  readonly className?: string;
  /** Without a label, the drawing is hidden from screen readers. */
  readonly label?: string;
  readonly children: React.ReactNode;
}

/** A drawing that is stretched to the available width. */
export function Drawing(props: IDrawingProps): JSX.Element {
  const { size, height, className, label, children } = props;
  return (
    <svg
      className={className}
      viewBox={`0 0 ${size.join(' ')}`}
      preserveAspectRatio="none"
      height={height}
      role={label && 'img'}
      aria-label={label}
      aria-hidden={!label}
    >
      {children}
    </svg>
  );
}
