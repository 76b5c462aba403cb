/** Whether the reader's own colours apply. Browsers don't apply them to a canvas. */
export const HIGH_CONTRAST = matchMedia('(forced-colors: active)');

/**
 * Call `draw` whenever the theme's colours or the reader's own change. Return a function that stops
 * this.
 */
export function onColours(draw: () => void): () => void {
  const themes = new MutationObserver(draw);
  themes.observe(document.body, {
    attributes: true,
    attributeFilter: ['data-jp-theme-name']
  });
  HIGH_CONTRAST.addEventListener('change', draw);
  return () => {
    themes.disconnect();
    HIGH_CONTRAST.removeEventListener('change', draw);
  };
}
