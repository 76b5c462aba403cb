import { trans } from '../translation';

interface IPattern {
  /** The translator's form: `Memory is nearly full: %1 of %2 GiB.` */
  readonly template: string;
  readonly expression: RegExp;
  /** The placeholders, in the order of their occurrence. */
  readonly places: readonly number[];
}

let patterns: readonly IPattern[] = [];

/** Store the templates of the server's sentences, most specific first. */
export function learnTemplates(templates: readonly string[]): void {
  patterns = templates.map(patternOf);
}

/**
 * A sentence of the server, in the reader's language. The server writes English, with figures in
 * its sentences. A known sentence is recognised by the text around its figures, which are put into
 * the translation. An unknown sentence is shown unchanged.
 */
export function translateSentence(sentence: string, depth = 0): string {
  const whole = lookedUp(sentence);
  if (whole !== sentence || depth > 2) {
    return whole;
  }
  for (const { template, expression, places } of patterns) {
    const found = expression.exec(sentence);
    if (found !== null) {
      const parts: string[] = [];
      places.forEach((place, i) => {
        parts[place - 1] = translateSentence(found[i + 1], depth + 1);
      });
      const isSaid = /\p{L}/u.test(template) || !parts.every(isFrom(sentence));
      return isSaid ? trans.__(template, ...parts) : sentence;
    }
  }
  return sentence;
}

/** Translate a sentence without figures; a `%1` in a path would be mistaken for a placeholder. */
function lookedUp(sentence: string): string {
  return sentence === '' || /%\d/.test(sentence)
    ? sentence
    : trans.__(sentence);
}

/** Whether a part is unchanged. */
function isFrom(sentence: string): (part: string) => boolean {
  return part => sentence.includes(part);
}

function patternOf(template: string): IPattern {
  const places: number[] = [];
  const source = template
    .split(/(%\d+)/)
    .map(part => {
      if (/^%\d+$/.test(part)) {
        places.push(Number(part.slice(1)));
        return '([^]+?)';
      }
      return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    })
    .join('');
  return { template, places, expression: new RegExp(`^${source}$`) };
}
