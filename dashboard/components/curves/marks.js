// What lies across all panels of a chart: the axis, events, the moment that the page shows, the pointer.

import { segment } from "../lib/canvas.js";
import { clock, pretty } from "../lib/numbers.js";
import { AXES } from "./groups.js";
import { MARGIN } from "./plot.js";

/**
 * @param {import("./curves.js").Curves} view
 * @param {CanvasRenderingContext2D} ctx
 * @param {import("./scales.js").ScaleX} sx
 * @param {number} left
 * @param {number} right
 * @param {number} height
 */
export function drawAxis(view, ctx, sx, left, right, height) {
  ctx.fillStyle = view.ink.text;
  ctx.globalAlpha = 0.75;
  ctx.textAlign = "center";
  const y = (view.frames.at(-1)?.bottom ?? height - 40) + 16;
  for (const t of sx.ticks) {
    const p = sx.to(t);
    if (p >= left - 1 && p <= right + 1) ctx.fillText(pretty(t), Math.min(p, right - 8), y);
  }
  const title = AXES[view.axis] + (view.logX ? " (log)" : "");
  if (view.hover === null) ctx.fillText(title, (left + right) / 2, y + 16);
  ctx.globalAlpha = 1;
  if (view.hover !== null) sayMoment(view, ctx, sx, view.hover, right, y + 16);
}
/**
 * Which moment the pointer is at, in place of the axis title: nothing covers the curves.
 * @param {import("./curves.js").Curves} view
 * @param {CanvasRenderingContext2D} ctx
 * @param {import("./scales.js").ScaleX} sx
 * @param {number} row
 * @param {number} right
 * @param {number} y
 */
function sayMoment(view, ctx, sx, row, right, y) {
  const x = sx.to(view.x(row));
  const near = view.events.filter((e) => Math.abs(sx.to(view.xOfStep(e.step)) - x) < 5);
  const words = [
    `step ${pretty(view.rows.at("step", row))}`,
    `epoch ${pretty(view.rows.at("epoch", row), 3)}`,
    clock(view.rows.at("seconds", row)),
    ...new Set(near.map((e) => e.label)),
  ].join(" · ");
  const half = ctx.measureText(words).width / 2;
  ctx.fillText(words, Math.min(Math.max(x, half), right + MARGIN.right - half), y);
}
/**
 * Rules through all panels: events, the moment that the page shows, the pointer, the zoom being drawn.
 * @param {import("./curves.js").Curves} view
 * @param {CanvasRenderingContext2D} ctx
 * @param {import("./scales.js").ScaleX} sx
 * @param {number} left
 * @param {number} right
 */
export function drawMarks(view, ctx, sx, left, right) {
  if (!view.frames.length) return;
  const { ink } = view;
  const { top } = view.frames[0];
  const { bottom } = view.frames[view.frames.length - 1];
  const inside = (/** @type {number} */ x) => x >= left - 1 && x <= right + 1;
  const rule = (/** @type {number} */ x, /** @type {string} */ colour, /** @type {number} */ wide) => {
    if (!inside(x)) return;
    ctx.strokeStyle = colour;
    ctx.lineWidth = wide;
    segment(ctx, x, top, x, bottom);
  };
  ctx.setLineDash([2, 4]);
  for (const event of view.events)
    rule(Math.round(sx.to(view.xOfStep(event.step))) + 0.5, ink.lines.purple, 1);
  ctx.setLineDash([]);
  if (view.cursor !== null) {
    const x = sx.to(view.xOfStep(view.cursor));
    rule(x, ink.accent, 1.5);
    ctx.fillStyle = ink.accent;
    ctx.beginPath();
    ctx.moveTo(x - 5, top - 6);
    ctx.lineTo(x + 5, top - 6);
    ctx.lineTo(x, top + 1);
    if (inside(x)) ctx.fill();
  }
  if (view.hover !== null) rule(sx.to(view.x(view.hover)), ink.text, 0.7);
  const wide = view.drag ? Math.abs(view.drag.to - view.drag.from) : 0;
  if (!view.drag || wide <= 3) return;
  ctx.fillStyle = ink.accent;
  ctx.globalAlpha = 0.15;
  ctx.fillRect(Math.min(view.drag.from, view.drag.to), top, wide, bottom - top);
  ctx.globalAlpha = 1;
}
