// Hidden probabilities of fixed probe images, one column a unit and one row an image; below, how active units are.

import { newCanvas, putPixels, segment, sharpen, spotOf, textScale } from "../lib/canvas.js";
import { colourTable } from "../lib/colour.js";
import { el } from "../lib/dom.js";
import { clamp } from "../lib/numbers.js";
import { PALETTE } from "../lib/palette.js";
import { saveButtons } from "../lib/save.js";
import { onResize, show, View } from "../lib/view.js";

/**
 * @typedef {object} Header `order` names the unit of each column; `labels`, where known, the digit of each image
 * @property {string} version
 * @property {boolean} [same]
 * @property {number[]} order
 * @property {number[] | null} labels
 * @property {import("../lib/save.js").Source} of
 */
/**
 * @typedef {object} Arrays hidden: (cases, units) of 255 p(h = 1 | v), in the order; mean: (units,) by unit
 * @property {Uint8Array & { shape: number[] }} hidden
 * @property {Float32Array} mean
 */

const LEFT = 26; // room for the digits and the vertical title
const BINS = 40;
const NOTE =
  "p(h = 1 | v): black is 0, white is 1. Dark columns are units that never fire, white ones always do; a row unlike the others is an image unlike the others.";

/** The map of hidden probabilities and the histogram below it. */
class Activity extends View {
  /** @type {Header | undefined} */
  h;
  /** @type {Arrays} */
  a;
  /** @type {{ room: number, high: number }} the map's size on the canvas */
  size;

  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    this.canvas = el("canvas", { role: "img", "aria-label": "Hidden probabilities, units by images" });
    this.bars = el("canvas", { role: "img", "aria-label": "Histogram of the units' mean activation" });
    this.tip = el("div", { class: "tip", hidden: "" });
    const title = el("div", { class: "title" }, "Hidden units on probe images");
    root.append(
      el("div", { class: "row spread" }, title, saveButtons(this)),
      el("div", { class: "stage" }, this.canvas, this.tip),
      el("div", { class: "note" }, NOTE),
      el("div", { class: "title second" }, "How active are the units"),
      this.bars,
    );
    this.off = newCanvas();
    this.observer = onResize(this, root);
    this.canvas.addEventListener("pointermove", (event) => this.hover(event));
    this.canvas.addEventListener("pointerleave", () => {
      this.tip.hidden = true;
    });
  }
  close() {
    this.observer.disconnect();
  }

  /** @param {{ header: Header, arrays: Arrays }} blob */
  receive({ header, arrays }) {
    if (this.stale(header) || header.same) return;
    this.h = header;
    this.a = arrays;
    const [cases, units] = arrays.hidden.shape;
    const grey = colourTable(PALETTE.grey);
    putPixels(
      this.off,
      Uint32Array.from(arrays.hidden, (p) => grey[p]),
      units,
      cases,
    );
  }

  picture() {
    if (!this.h) return null;
    return {
      title: "Hidden units on probe images",
      name: "hidden-units",
      of: this.h.of,
      rows: [[this.canvas], [this.bars]],
      note: "p(h = 1 | v): black is 0, white is 1. Below, how active the units are.",
    };
  }

  draw() {
    const em = textScale();
    const width = Math.floor(this.root.clientWidth / em);
    if (!this.h || !width) return;
    const [cases, units] = this.a.hidden.shape;
    const bottom = 18;
    const room = width - LEFT;
    const high = clamp(cases * 2.2, 120, 230);
    const ctx = sharpen(this.canvas, width, high + bottom, em);
    ctx.imageSmoothingEnabled = units > room;
    ctx.imageSmoothingQuality = "high";
    ctx.drawImage(this.off, LEFT, 0, room, high);
    this.small(ctx);
    ctx.textAlign = "center";
    ctx.fillText(`hidden units (${units})`, LEFT + room / 2, high + 14);
    ctx.save();
    ctx.translate(12, high / 2);
    ctx.rotate(-Math.PI / 2);
    ctx.fillText(`images (${cases})`, 0, 0);
    ctx.restore();
    if (this.h.labels) this.digits(ctx, this.h.labels, high);
    this.size = { room, high };
    this.histogram(width);
  }
  /** @param {CanvasRenderingContext2D} ctx */
  small(ctx) {
    ctx.fillStyle = this.ink.text;
    ctx.globalAlpha = 0.75;
    ctx.font = `11px ${this.ink.font}`;
  }
  /**
   * Probe images are sorted by class: each digit stands once, beside the middle of its images.
   * @param {CanvasRenderingContext2D} ctx
   * @param {number[]} labels
   * @param {number} high
   */
  digits(ctx, labels, high) {
    const cases = labels.length;
    ctx.textAlign = "right";
    for (let first = 0, end = 0; first < cases; first = end) {
      while (end < cases && labels[end] === labels[first]) end++;
      const y = ((first + end) / 2 / cases) * high;
      if (((end - first) / cases) * high > 11) ctx.fillText(String(labels[first]), LEFT - 3, y + 4);
    }
    ctx.globalAlpha = 1;
  }
  /**
   * How many units have which mean activation.
   * @param {number} width
   */
  histogram(width) {
    const high = 86;
    const left = 34;
    const room = width - left - 6;
    const counts = new Array(BINS).fill(0);
    for (const m of this.a.mean) counts[clamp(Math.floor(m * BINS), 0, BINS - 1)]++;
    const top = Math.max(...counts);
    const ctx = sharpen(this.bars, width, high + 32, textScale());
    ctx.fillStyle = this.ink.lines.blue;
    for (const [i, count] of counts.entries()) {
      const tall = (count / top) * (high - 8);
      ctx.fillRect(left + (i / BINS) * room + 0.5, high - tall, room / BINS - 1, tall);
    }
    ctx.strokeStyle = this.ink.line;
    segment(ctx, left, high + 0.5, left + room, high + 0.5);
    this.small(ctx);
    ctx.textAlign = "right";
    ctx.fillText(String(top), left - 5, 14);
    ctx.fillText("0", left - 5, high);
    ctx.textAlign = "center";
    for (const t of [0, 0.25, 0.5, 0.75, 1]) ctx.fillText(String(t), left + t * room, high + 14);
    ctx.fillText("mean activation of a unit  ·  height: number of units", left + room / 2, high + 29);
    ctx.globalAlpha = 1;
  }

  /** @param {PointerEvent} event */
  hover(event) {
    if (!this.h || !this.size) return;
    const em = textScale();
    const [x, y] = spotOf(event, this.canvas, em);
    const [cases, units] = this.a.hidden.shape;
    const column = Math.floor(((x - LEFT) / this.size.room) * units);
    const row = Math.floor((y / this.size.high) * cases);
    this.tip.hidden = !(column >= 0 && column < units && row >= 0 && row < cases);
    if (this.tip.hidden) return;
    const unit = this.h.order[column];
    const p = this.a.hidden[row * units + column] / 255;
    const digit = this.h.labels ? ` (a ${this.h.labels[row]})` : "";
    this.tip.textContent = `unit ${unit}, image ${row}${digit}\np(h=1|v) = ${p.toFixed(2)}\nmean ${this.a.mean[unit].toFixed(3)}`;
    const { width } = this.canvas.getBoundingClientRect();
    const right = x * em > width / 2;
    this.tip.style.left = right ? "" : `${x * em + 16}px`;
    this.tip.style.right = right ? `${width - x * em + 16}px` : "";
    this.tip.style.top = `${em * Math.min(y + 12, this.size.high - 40)}px`;
  }
}

/** @param {import("../lib/view.js").Mounted} component */
export default (component) => show(component, Activity);
