import uPlot from 'uplot';

const FONT_SIZE = 11;
const LINE_HEIGHT = 16;
const GAP = 5;
/** Distance from the time axis to the middle of its labels. */
const LABEL_DISTANCE = 9;
/** How many pictures are kept: enough for all visible labels. */
const MOST_PICTURES = 200;

/**
 * Labels as small pictures, which all charts share. Rendering the text again would take ten times as
 * long.
 */
const pictures = new Map<string, HTMLCanvasElement>();

interface ITicks {
  readonly at: readonly number[];
  readonly labels: readonly string[];
}

const NONE: ITicks = { at: [], labels: [] };

/**
 * Draws the grid and the labels of both axes, ten times a second. uPlot would stroke the grid as a
 * path and render each label again every time, so it only provides the positions.
 */
export class Axes {
  private x = NONE;
  private y = NONE;

  constructor(
    private readonly colour: () => string,
    private readonly gridColour: () => string
  ) {}

  /** Options of an axis whose values are formatted by `format`. */
  options(
    which: 'x' | 'y',
    format: (splits: number[]) => string[]
  ): Pick<uPlot.Axis, 'values' | 'grid' | 'ticks'> {
    return {
      grid: { show: false },
      ticks: { show: false },
      values: (_plot, at) => {
        this[which] = { at, labels: format(at) };
        return at.map(() => null);
      }
    };
  }

  draw(plot: uPlot): void {
    const { ctx, bbox } = plot;
    const ratio = uPlot.pxRatio;
    const [right, bottom] = [bbox.left + bbox.width, bbox.top + bbox.height];
    const line = Math.max(1, Math.round(ratio));
    const columns = this.x.at.map(each => round(plot, each, 'x'));
    const rows = this.y.at.map(each => round(plot, each, 'y'));
    ctx.save(); // uPlot relies on the state that it has set
    ctx.fillStyle = this.gridColour();
    columns.forEach(x => ctx.fillRect(x, bbox.top, line, bbox.height));
    rows.forEach(y => ctx.fillRect(bbox.left, y, right - bbox.left, line));
    const colour = this.colour();
    columns.forEach((x, i) => {
      const picture = pictureOf(this.x.labels[i], colour, ratio);
      const middle = bottom + LABEL_DISTANCE * ratio;
      put(ctx, picture, x - picture.width / 2, middle);
    });
    rows.forEach((y, i) => {
      const picture = pictureOf(this.y.labels[i], colour, ratio);
      put(ctx, picture, bbox.left - GAP * ratio - picture.width, y);
    });
    ctx.restore();
  }
}

function round(plot: uPlot, value: number, scale: string): number {
  return Math.round(plot.valToPos(value, scale, true));
}

function put(
  ctx: CanvasRenderingContext2D,
  picture: HTMLCanvasElement,
  left: number,
  middle: number
): void {
  const top = Math.round(middle - picture.height / 2);
  ctx.drawImage(picture, Math.round(left), top);
}

function pictureOf(
  label: string,
  colour: string,
  ratio: number
): HTMLCanvasElement {
  const key = `${ratio} ${colour} ${label}`;
  let picture = pictures.get(key);
  if (picture === undefined) {
    if (pictures.size >= MOST_PICTURES) {
      pictures.clear();
    }
    picture = painted(label, colour, ratio);
    pictures.set(key, picture);
  }
  return picture;
}

function painted(
  label: string,
  colour: string,
  ratio: number
): HTMLCanvasElement {
  const picture = document.createElement('canvas');
  const ctx = picture.getContext('2d')!;
  const font = `${FONT_SIZE * ratio}px sans-serif`;
  ctx.font = font;
  picture.width = Math.max(1, Math.ceil(ctx.measureText(label).width));
  picture.height = LINE_HEIGHT * ratio;
  ctx.font = font; // resizing has reset it
  ctx.fillStyle = colour;
  ctx.textBaseline = 'middle';
  ctx.fillText(label, 0, picture.height / 2);
  return picture;
}
