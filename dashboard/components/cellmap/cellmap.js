// One image of cells on a colour scale, or a sequence of such images beside curves that share its cursor.

import { context, newCanvas, pixelRatio, putPixels, sharpen, spotOf } from "../lib/canvas.js";
import { colourTable } from "../lib/colour.js";
import { el, icon, PAUSE, PLAY } from "../lib/dom.js";
import { clamp, pretty } from "../lib/numbers.js";
import { PALETTE } from "../lib/palette.js";
import { saveButtons } from "../lib/save.js";
import { drawScale } from "../lib/scale.js";
import { drawNames, nameBand, namedValue } from "../lib/table.js";
import { diverging } from "../lib/theme.js";
import { onResize, show, View } from "../lib/view.js";
import { Charts } from "./charts.js";

/**
 * @typedef {object} Header
 * @property {string} version
 * @property {string} key another key: other images, so the view starts anew
 * @property {string} title
 * @property {string} note
 * @property {string} name what a saved file is called
 * @property {import("../lib/save.js").Source} of
 * @property {[number, number]} shape rows and columns of cells
 * @property {boolean} signed colours diverge about zero
 * @property {number} low
 * @property {number} high
 * @property {string} unit of the values
 * @property {string} noun what a cell is
 * @property {import("../lib/table.js").Table} [table] columns of a table in place of pixels
 * @property {number} [height] css pixels at most
 * @property {boolean} picks whether a click says open = the number of the cell
 * @property {string} picks_words
 * @property {number | null} [marked] the number of the cell that is framed
 * @property {string[] | null} frames a label each
 * @property {number[]} [steps] the frames' own steps
 * @property {number} at the frame to begin with
 * @property {boolean} moves whether the frame that was left says moment = its number
 * @property {string} play_words
 * @property {boolean} beside a still image stands left of the sequence
 * @property {import("./charts.js").Curve[]} [curves]
 * @property {[string, string]} ends of the curves' axis
 */
/**
 * @typedef {object} Arrays cells: (frames, count); names: the number of each cell; beside: (count); curves: (K, frames)
 * @property {Float32Array & { shape: number[] }} cells
 * @property {Int32Array} names
 * @property {Float32Array} beside
 * @property {Float32Array} curves
 * @property {Float32Array} x
 */

const GAP = 12; // css pixels between two pictures
const LARGEST = 60; // css pixels a cell
const HEIGHT = 340;
const LOWEST_STRIP = 22; // css pixels of height of a table's row

/** The map: its frame, the cell under the pointer, and what changes them; most methods are of a few lines. */
class CellMap extends View {
  /** @type {Header} */
  h;
  /** @type {Arrays} */
  a;
  at = 0;
  /** @type {number | null} the cell under the pointer */
  over = null;
  playing = false;
  /** @type {number | null} the frame that the page was told of and has not answered yet */
  told = null;
  timer = 0;
  /** css pixels a cell */
  size = 1;
  /** css pixels above the cells, for the names of a table's columns */
  top = 0;
  /** @type {Charts | null} */
  charts = null;

  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    this.title = el("div", { class: "title" });
    this.canvas = el("canvas", { role: "img" });
    this.tip = el("div", { class: "tip", hidden: "" });
    this.still = el("canvas", { role: "img" });
    this.stage = el("div", { class: "stage" }, this.canvas, this.tip);
    this.chart = el("canvas", { role: "img" });
    this.aside = el("div", { class: "charts" }, this.chart);
    this.playButton = el("button", { onclick: () => this.toggle() }, icon(PLAY));
    this.slider = el("input", {
      type: "range",
      min: 0,
      step: 1,
      oninput: () => this.go(Number(this.slider.value)),
      onchange: () => this.settle(),
    });
    this.player = el("div", { class: "row player" }, this.playButton, this.slider);
    this.frameText = el("div", { class: "frame" });
    const pair = el("div", { class: "pair" }, this.still, this.stage);
    this.left = el("div", {}, pair, this.player, this.frameText);
    this.note = el("div", { class: "note" });
    this.scaleBar = el("canvas", { class: "scale", role: "img" });
    root.append(
      el("div", { class: "row" }, this.title, saveButtons(this)),
      el("div", { class: "body" }, this.left, this.aside),
      el("div", { class: "row spread foot" }, this.note, this.scaleBar),
    );
    this.off = newCanvas();
    this.observer = onResize(this, root);
    this.listen();
  }
  close() {
    this.observer.disconnect();
    clearInterval(this.timer);
  }

  get n() {
    return this.a.cells.shape[1];
  }
  /** The table whose columns the cells are; none where cells are hidden units. */
  get names() {
    return this.h.noun === "column" ? this.h.table : undefined;
  }
  /** css pixels of height of a cell */
  get tall() {
    return this.names ? Math.max(this.size, LOWEST_STRIP) : this.size;
  }
  get frames() {
    return this.a.cells.shape[0];
  }

  /** @param {{ header: Header, arrays: Arrays }} blob */
  receive({ header, arrays }) {
    const other = this.h?.key !== header.key;
    this.h = header;
    this.a = arrays;
    if (other || header.at === this.told) this.told = null;
    // An answer to an earlier move may come when the reader has moved on: the film stays where it was moved to last.
    if (other || (header.moves && !this.playing && this.told === null)) this.at = header.at;
    this.at = Math.min(this.at, this.frames - 1);
    if (other) this.stop();
    this.over = null;
    this.tip.hidden = true;
    this.slider.max = String(this.frames - 1);
    this.slider.setAttribute("aria-label", header.play_words || "");
    this.player.hidden = this.frames < 2;
    this.player.style.display = this.frames < 2 ? "none" : "";
    this.frameText.style.display = header.frames ? "" : "none";
    this.aside.style.display = header.curves?.length ? "" : "none";
    this.still.style.display = header.beside ? "" : "none";
    this.stage.classList.toggle("picks", Boolean(header.picks));
    if (header.picks) this.canvas.setAttribute("tabindex", "0");
    else this.canvas.removeAttribute("tabindex");
    this.setPlay();
  }

  // Playing

  /** @param {number} frame */
  go(frame) {
    this.at = clamp(frame, 0, this.frames - 1);
    this.draw();
  }
  settle() {
    if (!this.h.moves) return;
    this.told = this.at;
    this.ask("moment", this.at);
  }
  toggle() {
    if (this.playing) {
      this.stop();
      this.settle();
      return;
    }
    if (this.at >= this.frames - 1) this.at = 0;
    this.playing = true;
    const advance = () => {
      this.go(this.at + 1);
      if (this.at < this.frames - 1) return;
      this.stop();
      this.settle();
    };
    this.timer = setInterval(advance, clamp(6000 / this.frames, 60, 160));
    this.setPlay();
  }
  stop() {
    clearInterval(this.timer);
    this.playing = false;
    this.setPlay();
  }
  setPlay() {
    const words = this.playing ? "Pause" : this.h.play_words || "Play";
    this.playButton.replaceChildren(icon(this.playing ? PAUSE : PLAY));
    this.playButton.title = words;
    this.playButton.setAttribute("aria-label", words);
  }

  // The picture

  colours() {
    return colourTable(this.h.signed ? diverging(this.dark) : PALETTE.grey);
  }
  draw() {
    const width = Math.floor(this.root.clientWidth);
    if (!this.h || !width) return;
    const [rows, columns] = this.h.shape;
    const charts = Boolean(this.h.curves?.length);
    const pictures = this.h.beside ? 2 : 1;
    const aside = charts && width >= 520 * pictures;
    this.size = this.cellSize(aside ? Math.min(width - 260, 0.62 * width) : width, pictures);
    const w = columns * this.size;
    this.top = this.names ? nameBand(context(this.canvas), this.names, `11px ${this.ink.font}`) : 0;
    const h = rows * this.tall;
    if (this.h.beside) this.put(this.still, this.a.beside, 0, w, h);
    const ctx = this.put(this.canvas, this.a.cells, this.at * this.n, w, h);
    if (this.over !== null) this.frameCell(ctx, this.over, this.ink.text, 1.5);
    const { marked } = this.h;
    if (marked !== null && marked !== undefined)
      this.frameCell(ctx, this.a.names.indexOf(marked), this.ink.lines.orange, 2.5);
    this.left.style.width = `${Math.max(w * pictures + GAP * (pictures - 1), Math.min(width, 200))}px`;
    this.title.textContent = this.h.title;
    this.note.textContent = this.h.note;
    this.slider.value = String(this.at);
    if (this.h.frames) {
      this.frameText.textContent = this.h.frames[this.at];
      this.slider.setAttribute("aria-valuetext", this.h.frames[this.at]);
    }
    this.canvas.setAttribute("aria-label", `${this.h.title}: ${rows} by ${columns} cells. ${this.h.note}`);
    this.drawScale();
    if (charts) this.drawCharts(width, aside ? h + 50 : 0);
  }
  /**
   * css pixels a cell: whole device pixels, so that all cells come out equal.
   * @param {number} room css pixels for the pictures
   * @param {number} pictures side by side
   */
  cellSize(room, pictures) {
    const [rows, columns] = this.h.shape;
    const ratio = pixelRatio();
    const each = (room - GAP * (pictures - 1)) / pictures;
    const fitting = Math.min(each / columns, (this.h.height || HEIGHT) / rows);
    return Math.min(Math.max(1 / ratio, Math.floor(fitting * ratio) / ratio), LARGEST);
  }
  /**
   * @param {CanvasRenderingContext2D} ctx
   * @param {number} cell −1: none
   * @param {string} colour
   * @param {number} wide
   */
  frameCell(ctx, cell, colour, wide) {
    if (cell < 0) return;
    const [x, y] = this.cornerOf(cell);
    ctx.strokeStyle = colour;
    ctx.lineWidth = wide;
    ctx.strokeRect(x - 0.5, y - 0.5, this.size + 1, this.tall + 1);
  }
  /** @param {number} cell */
  cornerOf(cell) {
    const columns = this.h.shape[1];
    return [(cell % columns) * this.size, this.top + Math.floor(cell / columns) * this.tall];
  }
  /**
   * Draws the cells that begin at `start` on a canvas of w × h css pixels.
   * @param {HTMLCanvasElement} canvas
   * @param {Float32Array} cells
   * @param {number} start
   * @param {number} w
   * @param {number} h
   */
  put(canvas, cells, start, w, h) {
    const { low, high, shape } = this.h;
    const [rows, columns] = shape;
    const image = new Uint32Array(rows * columns);
    const table = this.colours();
    for (let i = 0; i < this.n; i++) {
      image[i] = table[clamp(Math.round(((cells[start + i] - low) / (high - low || 1)) * 255), 0, 255)];
    }
    putPixels(this.off, image, columns, rows);
    const { top } = this;
    const ctx = sharpen(canvas, w, h + top);
    if (this.names) drawNames(ctx, this.names, { x: 0, y: top, cell: this.size, ink: this.ink });
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(this.off, 0, top, w, h);
    ctx.strokeStyle = this.ink.line;
    ctx.lineWidth = 1;
    ctx.strokeRect(0.5, top + 0.5, w - 1, h - 1);
    return ctx;
  }
  drawScale() {
    const { low, high, unit, signed } = this.h;
    const words = /** @type {[string, string, string]} */ ([
      pretty(low, 2),
      unit,
      (signed ? "+" : "") + pretty(high, 2),
    ]);
    drawScale(this.scaleBar, this.colours(), words, this.ink, { inset: 24 });
    this.scaleBar.setAttribute("aria-label", `${unit}, from ${low} to ${high}`);
  }
  /**
   * @param {number} width
   * @param {number} tall
   */
  drawCharts(width, tall) {
    const { curves = [], ends } = this.h;
    const shown = { curves, ends, values: this.a.curves, x: this.a.x, at: this.at };
    const room = Math.floor(this.aside.clientWidth) || Math.min(width, 320);
    this.charts = new Charts(this.chart, shown, room, tall, this.ink);
  }

  // Pointer and keys

  /** @param {MouseEvent} event */
  cellAt(event) {
    const [rows, columns] = this.h.shape;
    const [x, y] = spotOf(event, this.canvas);
    const [c, r] = [Math.floor(x / this.size), Math.floor((y - this.top) / this.tall)];
    const cell = r * columns + c;
    return c >= 0 && c < columns && r >= 0 && r < rows && cell < this.n ? cell : null;
  }
  /** @param {number} cell */
  nameOf(cell) {
    const columns = this.h.shape[1];
    if (this.names) return this.names.columns[cell];
    if (this.h.noun === "pixel")
      return `pixel in row ${Math.floor(cell / columns)}, column ${cell % columns}`;
    return `${this.h.noun} ${this.a.names[cell]}`;
  }
  /** @param {number | null} cell */
  hover(cell) {
    this.over = cell;
    this.tip.hidden = cell === null;
    if (cell !== null) {
      const [x, y] = this.cornerOf(cell);
      const cellValue = this.a.cells[this.at * this.n + cell];
      const own = this.names && !this.h.signed ? `\n${namedValue(this.names, cell, cellValue)}` : "";
      const value = `${this.h.unit} ${pretty(cellValue, 3)}${own}`;
      this.tip.textContent = `${this.nameOf(cell)}\n${value}${this.h.picks ? `\n${this.h.picks_words}` : ""}`;
      this.tip.style.left = `${x + this.size + 10}px`;
      this.tip.style.top = `${y + this.tall + 6}px`;
    }
    this.draw();
  }
  /** @param {number | null} cell */
  pick(cell) {
    if (this.h.picks && cell !== null) this.ask("open", this.a.names[cell]);
  }
  listen() {
    const on = this.canvas;
    on.addEventListener("pointermove", (event) => this.h && this.hover(this.cellAt(event)));
    on.addEventListener("pointerleave", () => this.h && this.hover(null));
    on.addEventListener("click", (event) => this.h && this.pick(this.cellAt(event)));
    on.addEventListener("keydown", (event) => this.key(event));
    const frame = (/** @type {PointerEvent} */ event) =>
      this.charts && this.go(this.charts.frameAt(spotOf(event, this.chart)[0]));
    let down = false;
    this.chart.addEventListener("pointerdown", (event) => {
      down = true;
      this.chart.setPointerCapture(event.pointerId);
      frame(event);
    });
    this.chart.addEventListener("pointermove", (event) => down && frame(event));
    this.chart.addEventListener("pointerup", () => {
      if (down) this.settle();
      down = false;
    });
    this.chart.addEventListener("pointercancel", () => {
      down = false;
    });
  }
  /** @param {KeyboardEvent} event */
  key(event) {
    if (!this.h?.picks) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.pick(this.over);
      return;
    }
    const columns = this.h.shape[1];
    /** @type {Record<string, number>} */
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const at = this.over ?? Math.max(0, this.a.names.indexOf(this.h.marked ?? -1));
    const to = at + steps[event.key];
    if (to >= 0 && to < this.n) this.hover(to);
  }

  // Taking away

  picture() {
    if (!this.h) return null;
    const { title, note, name, of, frames, steps, curves, beside } = this.h;
    const from = steps ? { ...of, step: steps[this.at] } : { ...of, more: frames?.[this.at] };
    const drawn = [...(beside ? [this.still] : []), this.canvas];
    return {
      title,
      note,
      name,
      of: from,
      rows: [drawn, ...(curves?.length ? [[this.chart]] : []), [this.scaleBar]],
    };
  }
  /** One row a cell; of a sequence, one row a frame: its curves, then its cells. */
  table() {
    const { unit, noun, shape, frames, curves = [] } = this.h;
    const { names, cells } = this.a;
    const pixel = noun === "pixel";
    const where = (/** @type {number} */ i) =>
      pixel ? [Math.floor(i / shape[1]), i % shape[1]] : [this.names?.columns[i] ?? names[i]];
    if (!frames) {
      const columns = [...(pixel ? ["row", "column"] : [noun]), unit];
      return { columns, rows: Array.from(names, (_, i) => [...where(i), cells[i]]) };
    }
    const named = Array.from(names, (_, i) => `${unit} ${where(i).join(" ")}`);
    return {
      columns: ["frame", ...curves.map((c) => c.name), ...named],
      rows: frames.map((label, f) => [
        label,
        ...curves.map((_, k) => this.a.curves[k * frames.length + f]),
        ...cells.subarray(f * this.n, (f + 1) * this.n),
      ]),
    };
  }
}

/** @param {import("../lib/view.js").Mounted} component */
export default (component) => show(component, CellMap);
