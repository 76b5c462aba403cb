import { trans } from '../translation';

interface IPattern {
  /** As a translator sees it: `Memory is nearly full: %1 of %2 GiB.` */
  readonly template: string;
  readonly expression: RegExp;
  /** The places in the order in which they stand. */
  readonly places: readonly number[];
}

let patterns: readonly IPattern[] = [];

/** Take in how the server's sentences are built; those that say most come first. */
export function learnTemplates(templates: readonly string[]): void {
  patterns = templates.map(patternOf);
}

/**
 * A sentence of the server, in the reader's language. It speaks English, with the figures in its
 * sentences: those known are recognised by what stands around the figures, which are put into the
 * translation. What is not known is shown as it came.
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

/** A sentence that has no figures; a `%1` in a path would be taken for a place. */
function lookedUp(sentence: string): string {
  return sentence === '' || /%\d/.test(sentence)
    ? sentence
    : trans.__(sentence);
}

/** Whether a part is still as it came. */
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
