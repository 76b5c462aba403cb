/**
 * Text from kernels, files and other packages, where it is more than shown: typed, copied, inserted or followed. The
 * server cleans it, too; but a page may talk to an older server.
 */

/** What a terminal obeys, or what shows text in another order than it has. */
const OBEYED = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** Whether a line can be typed into a terminal without running, and looks like what will run. */
export function isTypeable(line: string): boolean {
  return line.search(OBEYED) < 0;
}

/** Code for a cell or the clipboard: characters that nobody sees become visible. */
export function visibleCode(code: string): string {
  return code
    .replace(/\r\n?/g, '\n')
    .replace(OBEYED, each => ('\n\t'.includes(each) ? each : '\ufffd'));
}

/** The address of a web page; null for any other, such as a script. */
export function webAddress(link: string): string | null {
  return /^https?:\/\/\S+$/i.test(link) ? link : null;
}

/** Commands as one line; null if the reader must choose or fill in something, or if they belong in a cell. */
export function commandOf(fix: string): string | null {
  const lines = fix.split('\n').map(each => each.trim());
  return lines.some(each => /^[#%]|…|\ufffd/.test(each) || !isTypeable(each))
    ? null
    : lines.filter(Boolean).join(' && ');
}
