// The units of a network and what joins them. Pixels are squares; hidden units, where there are any, circles above.

import { segment } from "../lib/canvas.js";
import { clamp } from "../lib/numbers.js";

const PIXEL = 30; // units: the side of a pixel
const ACROSS = 300;

/** @typedef {{ x: number, y: number, hidden: boolean }} Spot of a unit */

/**
 * Where the units stand, and how high the drawing is.
 * @param {number} n units
 * @param {number} visible how many of them are pixels
 * @param {[number, number]} shape rows and columns of the pixels
 */
export function spots(n, visible, [rows, columns]) {
  const hidden = n - visible;
  const top = hidden ? 96 : 26;
  const gap = hidden ? 62 : 56;
  /** @type {Spot[]} */
  const all = [];
  for (let i = 0; i < visible; i++) {
    const x = ACROSS / 2 + ((i % columns) - (columns - 1) / 2) * gap;
    all.push({ x, y: top + Math.floor(i / columns) * gap, hidden: false });
  }
  for (let j = 0; j < hidden; j++)
    all.push({ x: (ACROSS * (j + 1)) / (hidden + 1), y: j % 2 ? 22 : 30, hidden: true });
  return { all, width: ACROSS, height: top + (rows - 1) * gap + 26 };
}

/**
 * Draws units and wires. Wires of the units being asked are drawn strongly, red where the weight is positive.
 * @param {CanvasRenderingContext2D} ctx
 * @param {import("../lib/pen.js").Pen} pen
 * @param {ReturnType<typeof spots>} place
 * @param {Float32Array} W
 * @param {(i: number) => boolean} isOn
 * @param {number[]} asked
 */
export function drawWires(ctx, pen, place, W, isOn, asked) {
  const n = place.all.length;
  const most = W.reduce((x, w) => Math.max(x, Math.abs(w)), 1e-9);
  const chosen = new Set(asked);
  for (const strong of [false, true]) {
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < i; j++) {
        const w = W[i * n + j];
        if (!w || (chosen.has(i) || chosen.has(j)) !== strong) continue;
        const size = Math.abs(w) / most;
        ctx.strokeStyle = pen.mix(pen.stops, w > 0 ? 0.82 : 0.18);
        ctx.globalAlpha = strong ? 0.35 + 0.65 * size : 0.06 + 0.16 * size;
        ctx.lineWidth = strong ? 1 + 3 * size : 1;
        segment(ctx, place.all[i].x, place.all[i].y, place.all[j].x, place.all[j].y);
      }
    }
  }
  ctx.globalAlpha = 1;
  for (const [i, { x, y, hidden }] of place.all.entries()) {
    const r = PIXEL / 2;
    ctx.beginPath();
    if (hidden) ctx.arc(x, y, 14, 0, 7);
    else ctx.rect(x - r, y - r, PIXEL, PIXEL);
    ctx.fillStyle = isOn(i) ? (hidden ? pen.colour.model : "#fff") : "#1a1d22";
    ctx.fill();
    ctx.lineWidth = chosen.has(i) ? 3.5 : 1.25;
    ctx.strokeStyle = chosen.has(i) ? pen.colour.chain : "#8a919b";
    ctx.stroke();
  }
  ctx.lineWidth = 1;
}

/**
 * The unit at a point; −1 where there is none.
 * @param {ReturnType<typeof spots>} place
 * @param {[number, number]} point
 */
export function unitAt({ all }, [x, y]) {
  return all.findIndex(
    (one) => Math.max(Math.abs(one.x - x), Math.abs(one.y - y)) <= clamp(PIXEL, 24, 30) / 2 + 3,
  );
}
