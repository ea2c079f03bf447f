// The last rung's pictures and a plain chain's among training images, in the plane of the film's map.

import { dot, segment, sharpen, textScale } from "../lib/canvas.js";
import { extent } from "../lib/numbers.js";

// The colours of the digits 0 to 9 are one grey here: the two walks are what is in colour.
const AROUND = 14;
const TRAIL = 80; // rounds

/** The map. */
export class Walk {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
  }
  /** @param {import("./ladder.js").Ladder} view */
  paint({ film, frame, ink, mapWidth, walks }) {
    const { map_points: points, map_labels: labels, map_path: path } = film.a;
    if (!points || !labels || !path) return;
    const scale = textScale();
    const wide = mapWidth / scale;
    const high = Math.min(wide, 460);
    const ctx = sharpen(this.canvas, wide, high, scale);
    const ranges = [0, 1].map((axis) => extent([...points, ...path].filter((_, i) => i % 2 === axis)));
    const [[x0, x1], [y0, y1]] = ranges;
    const s = Math.min((wide - 2 * AROUND) / (x1 - x0 || 1), (high - 2 * AROUND) / (y1 - y0 || 1));
    /** @returns {[number, number]} */
    const at = (/** @type {Float32Array} */ from, /** @type {number} */ i) => [
      wide / 2 + (from[2 * i] - (x0 + x1) / 2) * s,
      high / 2 - (from[2 * i + 1] - (y0 + y1) / 2) * s,
    ];
    ctx.font = `9px ${ink.font}`;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    ctx.fillStyle = ink.text;
    ctx.globalAlpha = 0.42;
    for (let i = 0; i < labels.length; i++) {
      const [x, y] = at(points, i);
      if (labels[i] === 255) dot(ctx, x, y, 1.2);
      else ctx.fillText(String(labels[i]), x, y);
    }
    const now = frame >> 1;
    ctx.lineJoin = "round";
    for (const [who, colour] of [
      [1, walks.plain],
      [0, walks.tempered],
    ]) {
      ctx.strokeStyle = ctx.fillStyle = /** @type {string} */ (colour);
      ctx.lineWidth = 1.6;
      const i = (/** @type {number} */ r) => 2 * r + Number(who);
      for (let r = Math.max(1, now - TRAIL); r <= now; r++) {
        ctx.globalAlpha = 0.12 + 0.7 * (1 - (now - r) / TRAIL);
        segment(ctx, ...at(path, i(r - 1)), ...at(path, i(r)));
      }
      ctx.globalAlpha = 1;
      dot(ctx, ...at(path, i(now)), 5);
      ctx.strokeStyle = ink.paper;
      ctx.stroke();
    }
  }
}
