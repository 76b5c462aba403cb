// Prints, as JSON, every string of the front end that a translator sees, by TypeScript's own parser:
//   messages   what goes through trans.__, ._n, ._p and ._np
//   words      what format.ts makes of the names on its standard input, such as `batch_size`
//   bare       text that a user would see, and that goes through none of them
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const source = join(root, 'src');
const messages = [];
const bare = [];

/** Attributes whose text people see or hear. */
const SEEN = new Set(['title', 'label', 'alt', 'placeholder', 'aria-label']);
/** Which arguments are the message, its plural and its context. */
const SHAPES = {
  __: { msgid: 0 },
  _n: { msgid: 0, plural: 1 },
  _p: { context: 0, msgid: 1 },
  _np: { context: 0, msgid: 1, plural: 2 }
};

function literal(node) {
  return node && ts.isStringLiteralLike(node) ? node.text : null;
}

function takeCall(node, path) {
  const name = ts.isPropertyAccessExpression(node.expression)
    ? node.expression.name.text
    : '';
  const shape = SHAPES[name];
  if (shape === undefined || literal(node.arguments[shape.msgid]) === null) {
    return;
  }
  const at = index =>
    index === undefined ? null : literal(node.arguments[index]);
  messages.push({
    msgid: at(shape.msgid),
    plural: at(shape.plural),
    context: at(shape.context),
    path
  });
}

function takeBare(node, path) {
  const text = ts.isJsxText(node)
    ? node.text.trim()
    : ts.isJsxAttribute(node) && SEEN.has(node.name.getText())
      ? literal(node.initializer)
      : null;
  if (text && /\p{L}{2}/u.test(text)) {
    bare.push({ text, path });
  }
}

function visit(node, path) {
  if (ts.isCallExpression(node)) {
    takeCall(node, path);
  }
  takeBare(node, path);
  ts.forEachChild(node, child => visit(child, path));
}

for (const name of readdirSync(source, { recursive: true }).sort()) {
  if (/\.tsx?$/.test(name) && !name.endsWith('.d.ts')) {
    const file = join(source, name);
    const path = relative(join(root, '..'), file);
    visit(
      ts.createSourceFile(
        file,
        readFileSync(file, 'utf8'),
        ts.ScriptTarget.Latest,
        true
      ),
      path
    );
  }
}

// The module itself is asked, so that what it does with a name is told once.
const format = ts.transpileModule(
  readFileSync(join(source, 'format.ts'), 'utf8'),
  { compilerOptions: { module: ts.ModuleKind.ESNext } }
).outputText;
const { labelOf, rowLabelOf } = await import(
  `data:text/javascript,${encodeURIComponent(format)}`
);
const words = new Set();
const note = each => {
  words.add(each);
  return each;
};
for (const name of JSON.parse(readFileSync(0, 'utf8') || '[]')) {
  labelOf(name, note);
  rowLabelOf(name, note);
}
console.log(JSON.stringify({ messages, bare, words: [...words].sort() }));
