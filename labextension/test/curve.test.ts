import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type uPlot from 'uplot';

import { simplifiedPaths } from '../src/view/dashboard/curve';

type Point = [number, number];

/** Keeps the lines instead of painting them. */
class Lines {
  readonly lines: Point[][] = [];

  moveTo(x: number, y: number): void {
    this.lines.push([[x, y]]);
  }

  lineTo(x: number, y: number): void {
    this.lines[this.lines.length - 1].push([x, y]);
  }
}

Object.assign(globalThis, { Path2D: Lines });

/** A hundred seconds on as many pixels, and values up to a hundred on as many. */
function linesOf(values: (number | null | undefined)[]): Point[][] {
  const plot = {
    data: [values.map((_, i) => i), values],
    bbox: { left: 10, top: 0, width: 100, height: 100 },
    scales: { x: { min: 0, max: 100 }, y: { min: 0, max: 100 } }
  } as unknown as uPlot;
  const paths = simplifiedPaths(plot, 1, 0, values.length - 1);
  return (paths?.stroke as unknown as Lines).lines;
}

/** Every pixel column's points on a polyline. */
function traced(line: readonly Point[]): Set<string> {
  const pixels = new Set<string>();
  line.forEach(([x, y], i) => {
    const [fromX, fromY] = line[i - 1] ?? [x, y];
    const columns = Math.max(1, x - fromX);
    for (let step = 0; step <= columns; step++) {
      const share = step / columns;
      const height = (fromY + share * (y - fromY)).toFixed(3);
      pixels.add(`${fromX + share * (x - fromX)} ${height}`);
    }
  });
  return pixels;
}

describe('a curve', () => {
  it('has no points on a level line but its ends', () => {
    assert.deepEqual(linesOf([40, 40, 40, 40, 70, 70, 70]), [
      [
        [10, 60],
        [13, 60],
        [14, 30],
        [16, 30]
      ]
    ]);
  });

  it('breaks where a reading is missing, and not where another device was read', () => {
    assert.deepEqual(linesOf([50, 50, null, 50, undefined, 50]), [
      [
        [10, 50],
        [11, 50]
      ],
      [
        [13, 50],
        [15, 50]
      ]
    ]);
    assert.deepEqual(linesOf([null, null]), []);
  });

  it('goes through the same pixels as with all its points', () => {
    const values = Array.from({ length: 101 }, (_, i) =>
      Math.round(50 + 49 * Math.sin(i / 9) ** 3)
    );
    const all = values.map((value, i): Point => [10 + i, 100 - value]);
    const [line] = linesOf(values);
    assert.ok(line.length < all.length);
    assert.deepEqual(traced(line), traced(all));
  });
});
