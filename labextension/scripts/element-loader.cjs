// Imports the function to which JSX is compiled into a module that uses it. All modules then share its one short name,
// which rspack's own ProvidePlugin would copy into a variable for each.
module.exports = function (source) {
  const path = JSON.stringify(require.resolve('../lib/element.js'));
  return /\bh\(/.test(source)
    ? `import { element as h } from ${path};\n${source}`
    : source;
};
