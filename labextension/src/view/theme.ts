/** The reader's own colours, which a canvas does not apply by itself. */
export const HIGH_CONTRAST = matchMedia('(forced-colors: active)');

/**
 * Call `draw` when the colours change: the theme's, or the reader's own. Returns a function that
 * stops this.
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
