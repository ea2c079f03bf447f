// The curves beside a cell map's film: one below the other, with a cursor at the frame.

import { dot, segment, sharpen } from "../lib/canvas.js";
import { extent, pretty } from "../lib/numbers.js";

const LOWEST = 84; // units a curve
const LEFT = 8;
const RIGHT = 8;
const TOP = 22;
const BOTTOM = 8;
const AXIS = 18; // below the last curve

/** @typedef {{ name: string, unit: string, colour: string }} Curve */
/**
 * What the charts show: curves (K, frames); x: places of the frames on the axis, 0 to 1; ends: words at its ends.
 * @typedef {object} Charted
 * @property {Curve[]} curves
 * @property {Float32Array} values
 * @property {Float32Array} x
 * @property {[string, string]} ends
 * @property {number} at the frame
 */

/** Draws the curves on one canvas and finds frames on it. */
export class Charts {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Charted} shown
   * @param {number} width css pixels
   * @param {number} tall css pixels to fill, where the curves need less
   * @param {import("../lib/theme.js").Inks} ink
   */
  constructor(canvas, shown, width, tall, ink) {
    this.shown = shown;
    this.width = width;
    this.ink = ink;
    this.frames = shown.x.length;
    this.each = Math.max(LOWEST, Math.floor(tall / shown.curves.length));
    this.ctx = sharpen(canvas, width, shown.curves.length * this.each + AXIS);
    const words = shown.curves.map((curve, k) => this.curve(curve, k));
    this.cursor(shown.curves.length * this.each);
    canvas.setAttribute("aria-label", words.join(", "));
  }
  /**
   * Where a frame lies across.
   * @param {number} frame
   */
  place(frame) {
    return LEFT + this.shown.x[frame] * (this.width - LEFT - RIGHT);
  }
  /**
   * The frame nearest to a place across.
   * @param {number} x
   */
  frameAt(x) {
    let best = 0;
    for (let f = 1; f < this.frames; f++) {
      if (Math.abs(this.place(f) - x) < Math.abs(this.place(best) - x)) best = f;
    }
    return best;
  }
  /**
   * One curve with its name, its value at the frame and its range; returns name and value.
   * @param {Curve} curve
   * @param {number} k which one
   */
  curve({ name, unit, colour }, k) {
    const { ctx, ink, frames } = this;
    const line = this.shown.values.subarray(k * frames, (k + 1) * frames);
    const top = k * this.each + TOP;
    const bottom = (k + 1) * this.each - BOTTOM;
    let [low, high] = extent(line);
    if (!(high > low)) {
      low -= 0.5;
      high += 0.5;
    }
    const y = (/** @type {number} */ value) => bottom - ((value - low) / (high - low)) * (bottom - top);
    ctx.strokeStyle = ink.line;
    ctx.lineWidth = 1;
    segment(ctx, LEFT, bottom + 0.5, this.width - RIGHT, bottom + 0.5);
    const zero = Math.round(y(0)) + 0.5;
    if (low < 0 && high > 0) segment(ctx, LEFT, zero, this.width - RIGHT, zero);
    ctx.strokeStyle = ctx.fillStyle = ink.lines[colour];
    ctx.lineWidth = 2;
    ctx.lineJoin = "round";
    this.trace(line, y);
    const now = line[this.shown.at];
    if (Number.isFinite(now)) dot(ctx, this.place(this.shown.at), y(now), 4);
    const value = `${name} ${pretty(now, 3)}`;
    const label = unit ? `${value} ${unit}` : value;
    this.title([label, value], `from ${pretty(low, 2)} to ${pretty(high, 2)}`, top - 8);
    return label;
  }
  /**
   * A polyline; a value that is not finite leaves a gap.
   * @param {Float32Array} line
   * @param {(value: number) => number} y
   */
  trace(line, y) {
    this.ctx.beginPath();
    let pen = false;
    for (const [f, value] of line.entries()) {
      const known = Number.isFinite(value);
      if (known && pen) this.ctx.lineTo(this.place(f), y(value));
      else if (known) this.ctx.moveTo(this.place(f), y(value));
      pen = known;
    }
    this.ctx.stroke();
  }
  /**
   * @param {string[]} labels the fullest first; the last where none fits
   * @param {string} range left out where it does not fit beside the label
   * @param {number} y
   */
  title(labels, range, y) {
    const { ctx, ink } = this;
    ctx.fillStyle = ink.text;
    ctx.textAlign = "left";
    ctx.font = `600 12px ${ink.font}`;
    const wide = (/** @type {string} */ label) => ctx.measureText(label).width;
    const label = labels.find((one) => wide(one) <= this.width - LEFT) ?? labels[labels.length - 1];
    ctx.fillText(label, LEFT, y);
    const used = wide(label);
    ctx.font = `11px ${ink.font}`;
    ctx.globalAlpha = 0.68;
    ctx.textAlign = "right";
    if (used + ctx.measureText(range).width + 16 < this.width) ctx.fillText(range, this.width - RIGHT, y);
    ctx.globalAlpha = 1;
  }
  /**
   * A rule through all curves at the frame, and the words at the ends of the axis.
   * @param {number} bottom
   */
  cursor(bottom) {
    const { ctx, ink } = this;
    const x = Math.round(this.place(this.shown.at)) + 0.5;
    ctx.strokeStyle = ink.text;
    ctx.globalAlpha = 0.35;
    ctx.lineWidth = 1;
    segment(ctx, x, 4, x, bottom);
    ctx.globalAlpha = 0.68;
    ctx.fillStyle = ink.text;
    ctx.textAlign = "left";
    ctx.fillText(this.shown.ends[0], LEFT, bottom + 12);
    ctx.textAlign = "right";
    ctx.fillText(this.shown.ends[1], this.width - RIGHT, bottom + 12);
    ctx.globalAlpha = 1;
  }
}
