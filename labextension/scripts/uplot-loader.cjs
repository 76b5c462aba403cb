// Leaves out the ways of drawing a curve that no chart here uses. The bundler can't see that: they are attributes of one
// exported function.
const UNUSED = ['stepped', 'bars', 'spline'];

module.exports = function (source) {
  return UNUSED.reduce((text, name) => {
    const line = new RegExp(`\\(paths\\.${name} += \\w+\\);`);
    if (!line.test(text)) {
      throw new Error(
        `uPlot no longer has paths.${name}: adapt uplot-loader.cjs.`
      );
    }
    return text.replace(line, '');
  }, source);
};
