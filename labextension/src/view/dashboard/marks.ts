import type uPlot from 'uplot';

import type { CellMark, TrainingNow } from '../../api/generated';

/** A mark closer than this many pixels to the previous one has no number, which would not be readable. */
const LEAST_DISTANCE = 26;
const HEIGHT = 7;

/** The cells of all watched notebooks. */
export function cellsOf(training: TrainingNow | null): CellMark[] {
  return training?.notebooks.flatMap(notebook => notebook.cells) ?? [];
}

/** Mark where cells of watched notebooks began: a short line on the time axis, with the cell's number. */
export function drawMarks(
  plot: uPlot,
  cells: readonly CellMark[],
  colour: string
): void {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  const bottom = bbox.top + bbox.height;
  let labelled = -Infinity;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.strokeStyle = ctx.fillStyle = colour;
  ctx.lineWidth = ratio;
  ctx.textAlign = 'left';
  ctx.textBaseline = 'alphabetic';
  ctx.font = `${10 * ratio}px sans-serif`;
  for (const cell of cells) {
    const x = Math.round(plot.valToPos(cell.began_seconds, 'x', true)) + 0.5;
    if (x < bbox.left || x > bbox.left + bbox.width) {
      continue;
    }
    ctx.beginPath();
    ctx.moveTo(x, bottom);
    ctx.lineTo(x, bottom - HEIGHT * ratio);
    ctx.stroke();
    if (x - labelled >= LEAST_DISTANCE * ratio) {
      ctx.fillText(`[${cell.number}]`, x + 2 * ratio, bottom - 2 * ratio);
      labelled = x;
    }
  }
  ctx.restore();
}
