// Taking a figure away as PNG, and its numbers as CSV.

import { context, newCanvas, withFineness, wrapped } from "./canvas.js";
import { el } from "./dom.js";
import { pretty } from "./numbers.js";

// Device pixels a css pixel of a saved picture, at least.
const FINE = 2;
const PAD = 16;
const GAP = 12;
const NARROWEST = 320;

/** @typedef {{ canvas: HTMLCanvasElement, name?: string | null }} Cell a canvas and the words above it */
/**
 * Where a figure comes from; any of these may be missing.
 * @typedef {{ run?: string | null, step?: number | null, seed?: number | null, more?: string | null }} Source
 */
/**
 * What a figure is made of. `name` is what the file is called; the rows lie below one another, their cells side by
 * side; the legend pairs a colour with words.
 * @typedef {object} Picture
 * @property {string} title
 * @property {string} name
 * @property {Source} [of]
 * @property {(HTMLCanvasElement | Cell)[][]} rows
 * @property {[string, string][]} [legend]
 * @property {string | null} [note]
 */
/** @typedef {{ columns: string[], rows: any[][] }} Table */
/**
 * A figure that can be saved: picture and table are null while there is nothing to save. `table` may be missing.
 * @typedef {object} Figure
 * @property {() => Picture | null | undefined | false} picture
 * @property {() => Table | null} [table]
 * @property {() => void} draw
 * @property {import("./theme.js").Inks} ink
 */

/**
 * The quiet buttons that save a figure.
 * @param {Figure} figure
 */
export function saveButtons(figure) {
  const button = (/** @type {string} */ kind, /** @type {string} */ words, /** @type {() => void} */ act) =>
    el("button", { type: "button", class: "save", title: words, "aria-label": words, onclick: act }, kind);
  const row = el("span", { class: "saves" });
  row.append(button("PNG", "Save this figure as PNG, with its run and step", () => savePicture(figure)));
  if (figure.table)
    row.append(button("CSV", "Save the numbers of this figure as CSV", () => saveTable(figure)));
  return row;
}

/**
 * A source in words.
 * @param {Source} of
 */
export function sourceOf({ run, step, seed, more }) {
  const known = (/** @type {unknown} */ x) => x !== null && x !== undefined && x !== "";
  return [
    known(run) && `run ${run}`,
    known(step) && `step ${pretty(step)}`,
    known(seed) && `seed ${seed}`,
    more,
  ]
    .filter(Boolean)
    .join(" · ");
}

/**
 * The name of a figure's file, without its ending: letters, digits, points and dashes.
 * @param {Source} of
 * @param {string} name
 */
export function fileOf({ run, step }, name) {
  return [run, step === null || step === undefined ? null : `step-${step}`, name]
    .filter(Boolean)
    .join("-")
    .replace(/[^\p{L}\p{N}._-]+/gu, "-");
}

/**
 * A table as CSV: cells with commas, quotes or line breaks are quoted, unknown numbers are empty.
 * @param {Table} table
 */
export function csv({ columns, rows }) {
  const cell = (/** @type {any} */ x) => {
    if (x === null || x === undefined || Number.isNaN(x)) return "";
    return /[",\n]/.test(String(x)) ? `"${String(x).replace(/"/g, '""')}"` : String(x);
  };
  return [columns, ...rows].map((row) => `${row.map(cell).join(",")}\n`).join("");
}

/**
 * @param {Blob} blob
 * @param {string} file
 */
export function download(blob, file) {
  const link = el("a", { href: URL.createObjectURL(blob), download: file });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** @param {Figure} figure */
function saveTable(figure) {
  const picture = figure.picture();
  const table = figure.table?.();
  if (!picture || !table) return;
  download(new Blob([csv(table)], { type: "text/csv" }), `${fileOf(picture.of ?? {}, picture.name)}.csv`);
}

/** @param {Figure} figure */
function savePicture(figure) {
  withFineness(FINE, () => {
    figure.draw();
    const picture = figure.picture();
    if (!picture) return;
    const file = `${fileOf(picture.of ?? {}, picture.name)}.png`;
    compose(picture, figure.ink).toBlob((blob) => blob && download(blob, file));
  });
  figure.draw();
}

/**
 * The figure with title, legend, note and source as one canvas, on the page's paper.
 * @param {Picture} picture
 * @param {import("./theme.js").Inks} ink
 */
function compose(picture, ink) {
  const out = newCanvas();
  const sheet = new Sheet(context(out), picture, ink);
  const height = sheet.lay(false);
  const width = sheet.body + 2 * PAD;
  out.width = Math.ceil(width * sheet.ratio);
  out.height = Math.ceil(height * sheet.ratio);
  sheet.ctx.setTransform(sheet.ratio, 0, 0, sheet.ratio, 0, 0);
  sheet.ctx.fillStyle = ink.paper;
  sheet.ctx.fillRect(0, 0, width, height);
  sheet.lay(true);
  return out;
}

/** A figure laid out from top to bottom: once to learn its height, once to draw it. */
class Sheet {
  /**
   * @param {CanvasRenderingContext2D} ctx
   * @param {Picture} picture
   * @param {import("./theme.js").Inks} ink
   */
  constructor(ctx, picture, ink) {
    this.ctx = ctx;
    this.picture = picture;
    this.ink = ink;
    this.ratio = Math.max(FINE, window.devicePixelRatio || 1);
    this.small = `12px ${ink.font}`;
    this.rows = picture.rows.map((row) =>
      row
        .map((one) => (one instanceof HTMLCanvasElement ? { canvas: one, name: null } : one))
        .filter(({ canvas }) => canvas.width > 1),
    );
    const widths = this.rows.map((row) =>
      row.reduce((sum, { canvas }) => sum + this.wide(canvas) + GAP, -GAP),
    );
    this.body = Math.max(NARROWEST, ...widths);
    this.y = 0;
    this.drawing = false;
  }
  /** @param {HTMLCanvasElement} canvas */
  wide(canvas) {
    return Number.parseFloat(canvas.style.width) || canvas.width / this.ratio;
  }
  /** @param {HTMLCanvasElement} canvas */
  high(canvas) {
    return this.wide(canvas) * (canvas.height / canvas.width);
  }
  /**
   * Everything, and the height that it takes.
   * @param {boolean} drawing
   */
  lay(drawing) {
    const { title, of, legend, note } = this.picture;
    this.y = PAD;
    this.drawing = drawing;
    if (title) this.write(title, `600 16px ${this.ink.font}`, 1, 24);
    if (legend?.length) this.legend(legend);
    for (const row of this.rows) this.row(row);
    if (note) this.write(note, this.small, 0.75, 17);
    this.y += 4;
    this.write(["RBM Observatory", sourceOf(of ?? {})].filter(Boolean).join(" · "), this.small, 0.75, 17);
    return this.y + PAD - 6;
  }
  /**
   * @param {string} text
   * @param {string} font
   * @param {number} alpha
   * @param {number} step from one line to the next
   */
  write(text, font, alpha, step) {
    const { ctx } = this;
    ctx.font = font;
    for (const line of wrapped(ctx, text, this.body)) {
      ctx.globalAlpha = alpha;
      ctx.fillStyle = this.ink.text;
      if (this.drawing) ctx.fillText(line, PAD, this.y + step * 0.75);
      this.y += step;
    }
    ctx.globalAlpha = 1;
  }
  /** @param {[string, string][]} entries */
  legend(entries) {
    const { ctx } = this;
    let x = PAD;
    ctx.font = this.small;
    for (const [colour, text] of entries) {
      const room = 22 + ctx.measureText(text).width + 16;
      if (x > PAD && x + room > PAD + this.body) {
        x = PAD;
        this.y += 18;
      }
      if (this.drawing) {
        ctx.fillStyle = colour;
        ctx.fillRect(x, this.y + 7, 16, 4);
        ctx.fillStyle = this.ink.text;
        ctx.fillText(text, x + 22, this.y + 13);
      }
      x += room;
    }
    this.y += 24;
  }
  /** @param {Cell[]} cells */
  row(cells) {
    const { ctx } = this;
    const above = cells.some((one) => one.name) ? 18 : 0;
    let x = PAD;
    let tall = 0;
    for (const { canvas, name } of cells) {
      ctx.font = this.small;
      ctx.fillStyle = this.ink.text;
      if (this.drawing && name) ctx.fillText(name, x, this.y + 12);
      if (this.drawing) ctx.drawImage(canvas, x, this.y + above, this.wide(canvas), this.high(canvas));
      x += this.wide(canvas) + GAP;
      tall = Math.max(tall, this.high(canvas));
    }
    this.y += tall + above + 8;
  }
}
