// Prints what a browser downloads of the built front end: all files, raw and compressed.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const here = dirname(fileURLToPath(import.meta.url));
const built = join(here, '..', '..', 'jupyter_gpuperf', 'labextension');

let raw = 0;
let compressed = 0;
for (const entry of readdirSync(built, {
  recursive: true,
  withFileTypes: true
})) {
  // Source maps are fetched by a debugger, not by a user.
  if (!entry.isFile() || extname(entry.name) === '.map') {
    continue;
  }
  const content = readFileSync(
    join(entry.parentPath ?? entry.path, entry.name)
  );
  raw += content.length;
  compressed += gzipSync(content, { level: 9 }).length;
}
console.log(JSON.stringify({ raw_bytes: raw, gzip_bytes: compressed }));
