/** The reader's own colours, of which a canvas knows nothing by itself. */
export const HIGH_CONTRAST = matchMedia('(forced-colors: active)');

/** Call `draw` when the colours change: those of the theme, or the reader's own. Returns how to end it. */
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
