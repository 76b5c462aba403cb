import { createElement } from 'react';

declare global {
  /** What JSX is compiled to. The bundler imports it (scripts/element-loader.cjs); its short name makes the
   * bundle smaller. */
  const h: typeof createElement;
}

export const element = createElement;
