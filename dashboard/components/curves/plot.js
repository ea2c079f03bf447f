// Drawing one panel of curves.

import { dot, segment } from "../lib/canvas.js";
import { pretty } from "../lib/numbers.js";
import { rangeOf, scaleY } from "./scales.js";

/**
 * A line with its values by row.
 * @typedef {import("./groups.js").Line & {
 *   raw: Float64Array,
 *   soft: Float64Array,
 *   points: [number, number, number][],
 *   band: [number, number, number][],
 * }} Curve raw and soft: as recorded and smoothed; points and band: [x, value, standard error]
 */
/** @typedef {Omit<import("./groups.js").Panel, "lines"> & { lines: Curve[] }} Panel */
/**
 * What all panels of a chart share.
 * @typedef {object} Frame
 * @property {CanvasRenderingContext2D} ctx
 * @property {import("../lib/theme.js").Inks} ink
 * @property {import("./scales.js").ScaleX} sx
 * @property {(row: number) => number} x
 * @property {number} first row shown
 * @property {number} last
 * @property {number} left
 * @property {number} right
 * @property {number | null} hover the row under the pointer
 * @property {boolean} smooth the raw curve stays behind the smoothed one, faint
 */

/** Units around and between the panels. */
export const MARGIN = { left: 62, right: 14, top: 8, between: 26, bottom: 36 };

// Fewer values than this are shown as points.
const FEW = 12;

/**
 * One panel between top and bottom: title, grid, curves, and dots at the row under the pointer.
 * @param {Frame} frame
 * @param {Panel} panel
 * @param {Set<string>} hidden columns of the lines not shown
 * @param {number} top
 * @param {number} bottom
 */
export function drawPanel(frame, panel, hidden, top, bottom) {
  const { ctx, ink, left, right } = frame;
  const shown = panel.lines.filter((line) => !hidden.has(line.column));
  ctx.fillStyle = ink.text;
  ctx.globalAlpha = 0.75;
  ctx.textAlign = "left";
  ctx.fillText(panel.title, left, top - 7);
  ctx.globalAlpha = 1;
  const lines = shown.length ? shown : panel.lines;
  const newest = lines.map((line) => line.soft[frame.last]).filter(Number.isFinite);
  const range = rangeOf(valuesOf(frame, panel, lines), newest, panel);
  if (!range) return;
  const sy = scaleY(range, [top, bottom], panel);
  drawGrid(frame, sy, top, bottom);
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top - 1, right - left, bottom - top + 2);
  ctx.clip();
  if (panel.guide) drawGuide(frame, sy.to(panel.guide));
  for (const line of shown) drawLine(frame, line, sy);
  ctx.restore();
  if (frame.hover === null) return;
  for (const line of shown) {
    const y = sy.to(line.soft[frame.hover]);
    ctx.fillStyle = ink.lines[line.colour];
    if (y >= top && y <= bottom) dot(ctx, frame.sx.to(frame.x(frame.hover)), y, 3.5);
  }
}

/**
 * Everything that the vertical scale should reach.
 * @param {Frame} frame
 * @param {Panel} panel
 * @param {Curve[]} lines
 */
function valuesOf({ first, last }, panel, lines) {
  const all = [];
  for (const { soft, points, band } of lines) {
    for (let i = first; i <= last; i++) {
      if (Number.isFinite(soft[i]) && (!panel.log || soft[i] > 0)) all.push(soft[i]);
    }
    for (const [, y, error] of [...points, ...band]) all.push(y - error, y + error);
  }
  if (panel.guide) all.push(panel.guide);
  return all;
}

/**
 * @param {Frame} frame
 * @param {import("./scales.js").Scale} sy
 * @param {number} top
 * @param {number} bottom
 */
function drawGrid({ ctx, ink, left, right }, sy, top, bottom) {
  ctx.strokeStyle = ink.line;
  ctx.lineWidth = 1;
  ctx.textAlign = "right";
  for (const t of sy.ticks) {
    const y = Math.round(sy.to(t)) + 0.5;
    if (y < top - 1 || y > bottom + 1) continue;
    ctx.globalAlpha = 0.6;
    segment(ctx, left, y, right, y);
    ctx.globalAlpha = 0.75;
    ctx.fillText(pretty(t), left - 7, y + 4);
  }
  ctx.globalAlpha = 1;
}

/**
 * @param {Frame} frame
 * @param {number} y
 */
function drawGuide({ ctx, ink, left, right }, y) {
  ctx.strokeStyle = ink.text;
  ctx.globalAlpha = 0.5;
  ctx.setLineDash([5, 5]);
  segment(ctx, left, y, right, y);
  ctx.setLineDash([]);
}

/**
 * @param {Frame} frame
 * @param {Curve} line
 * @param {import("./scales.js").Scale} sy
 */
function drawLine(frame, line, sy) {
  const { ctx, ink, sx } = frame;
  ctx.strokeStyle = ctx.fillStyle = ink.lines[line.colour];
  if (line.band.length > 1) drawBand(frame, line.band, sy);
  if (frame.smooth) {
    ctx.globalAlpha = 0.25;
    ctx.lineWidth = 1;
    stroke(frame, line.raw, sy);
  }
  ctx.globalAlpha = 1;
  ctx.lineWidth = 1.8;
  ctx.setLineDash(line.dash ?? []);
  stroke(frame, line.soft, sy);
  ctx.setLineDash([]);
  for (const [at, y, error] of line.points) {
    const x = sx.to(at);
    dot(ctx, x, sy.to(y), 4);
    ctx.lineWidth = 1.5;
    for (const end of [y - error, y + error]) segment(ctx, x - 4, sy.to(end), x + 4, sy.to(end));
    segment(ctx, x, sy.to(y - error), x, sy.to(y + error));
  }
}

/**
 * ± 1 standard error of a likelihood followed during training.
 * @param {Frame} frame
 * @param {Curve["band"]} band
 * @param {import("./scales.js").Scale} sy
 */
function drawBand({ ctx, sx }, band, sy) {
  ctx.globalAlpha = 0.2;
  ctx.beginPath();
  for (const [x, y, error] of band) ctx.lineTo(sx.to(x), sy.to(y + error));
  for (const [x, y, error] of [...band].reverse()) ctx.lineTo(sx.to(x), sy.to(y - error));
  ctx.fill();
  ctx.globalAlpha = 1;
}

/**
 * One polyline; a few values alone are shown as points too.
 * @param {Frame} frame
 * @param {Float64Array} values by row
 * @param {import("./scales.js").Scale} sy
 */
function stroke({ ctx, sx, x, first, last, left, right }, values, sy) {
  /** @type {[number, number, boolean][]} places, and whether a line leads there */
  const places = [];
  let pen = false;
  for (let i = first; i <= last; i++) {
    const y = sy.to(values[i]);
    if (Number.isFinite(y)) {
      places.push([sx.to(x(i)), y, pen]);
      pen = true;
    } else if (isGap(values, i)) pen = false;
  }
  const sparse = last - first < 3 * (right - left);
  ctx.beginPath();
  for (const [px, py, joined] of sparse ? places : thinned(places)) {
    if (joined) ctx.lineTo(px, py);
    else ctx.moveTo(px, py);
  }
  ctx.stroke();
  if (places.length < FEW) for (const [px, py] of places) dot(ctx, px, py, 2.6);
}

/**
 * One missing value between two known ones breaks a line. Columns estimated now and then (log-likelihood) are joined
 * across the rows between estimates.
 * @param {Float64Array} values
 * @param {number} i
 */
function isGap(values, i) {
  return i > 0 && i + 1 < values.length && Number.isFinite(values[i - 1]) && Number.isFinite(values[i + 1]);
}

/**
 * Where several rows share a pixel column, its lowest and highest are both kept.
 * @param {[number, number, boolean][]} places
 * @returns {[number, number, boolean][]}
 */
export function thinned(places) {
  /** @type {[number, number, boolean][]} */
  const out = [];
  let column = Number.NaN;
  let low = Number.NaN;
  let high = Number.NaN;
  const flush = () => {
    if (Number.isFinite(column)) out.push([column, low, out.length > 0], [column, high, true]);
  };
  for (const [x, y] of places) {
    const now = Math.round(x);
    if (now !== column) {
      flush();
      column = now;
      low = high = y;
    } else {
      low = Math.min(low, y);
      high = Math.max(high, y);
    }
  }
  flush();
  return out;
}
