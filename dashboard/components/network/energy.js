// The energy of a network after every step.

import { dot, segment } from "../lib/canvas.js";
import { extent, ticks } from "../lib/numbers.js";

const LEFT = 42;
const BOTTOM = 20;

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {import("../lib/pen.js").Pen} pen
 * @param {{ width: number, height: number }} size
 * @param {number[]} values nats, one a step
 * @param {[number, number]} range of the energies of all states
 */
export function drawEnergy(ctx, pen, { width, height }, values, range) {
  const [low, high] = extent([...values, range[0]]);
  const top = Math.max(high, low + 1);
  const x = (/** @type {number} */ k) =>
    LEFT + 8 + (k / Math.max(12, values.length - 1)) * (width - LEFT - 20);
  const y = (/** @type {number} */ E) => 10 + ((top - E) / (top - low)) * (height - BOTTOM - 18);
  ctx.strokeStyle = pen.ink.line;
  for (const E of ticks(low, top, 4)) {
    segment(ctx, LEFT, y(E), width - 4, y(E));
    pen.text(ctx, String(Number(E.toPrecision(4))).replace("-", "−"), LEFT - 6, y(E) + 4, {
      align: "right",
      size: 11,
    });
  }
  ctx.strokeStyle = ctx.fillStyle = pen.colour.chain;
  ctx.lineWidth = 2;
  ctx.beginPath();
  for (const [k, E] of values.entries()) {
    if (k) ctx.lineTo(x(k), y(values[k - 1]));
    ctx.lineTo(x(k), y(E));
  }
  ctx.stroke();
  dot(ctx, x(values.length - 1), y(values[values.length - 1]), 5);
  ctx.lineWidth = 1;
  pen.text(ctx, "units asked →", width - 4, height - 4, { align: "right", size: 11 });
  pen.text(ctx, "nats", LEFT - 6, height - 4, { align: "right", size: 11 });
}

/**
 * How often the likeliest pictures were visited, beside how likely they are.
 * @param {CanvasRenderingContext2D} ctx
 * @param {import("../lib/pen.js").Pen} pen
 * @param {{ width: number, height: number }} size
 * @param {{ picture: number, p: number, visited: number }[]} bars
 */
export function drawVisits(ctx, pen, { width, height }, bars) {
  const slot = (width - LEFT) / bars.length;
  const cell = Math.floor(Math.min(8, (slot - 4) / pen.visible.shape[1]));
  const foot = pen.visible.shape[0] * cell + 8;
  const base = height - foot;
  const most = Math.max(...bars.flatMap(({ p, visited }) => [p, visited]), 0.01) * 1.1;
  const y = (/** @type {number} */ p) => base - (p / most) * (base - 10);
  ctx.strokeStyle = pen.ink.line;
  for (const p of ticks(0, most, 3)) {
    segment(ctx, LEFT, y(p), width, y(p));
    pen.text(ctx, `${Number((100 * p).toPrecision(3))} %`, LEFT - 6, y(p) + 4, { align: "right", size: 11 });
  }
  const w = Math.min(20, slot * 0.36);
  for (const [k, { picture, p, visited }] of bars.entries()) {
    const x = LEFT + (k + 0.5) * slot;
    ctx.fillStyle = pen.colour.model;
    ctx.fillRect(x - w - 0.5, y(p), w, base - y(p));
    ctx.fillStyle = pen.colour.chain;
    ctx.fillRect(x + 0.5, y(visited), w, base - y(visited));
    pen.picture(ctx, picture, Math.round(x - (pen.visible.shape[1] * cell) / 2), base + 6, cell);
  }
}
