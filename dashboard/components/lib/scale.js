// The bar that says which colour stands for which value.

import { sharpen, textScale } from "./canvas.js";
import { cssOf } from "./colour.js";

const WIDE = 198;

/**
 * A bar of colours with words beneath: at its left end, in the middle, at its right end.
 * @param {HTMLCanvasElement} canvas
 * @param {Uint32Array} table 256 pixels
 * @param {[string, string, string]} words
 * @param {import("./theme.js").Inks} ink
 * @param {{ inset?: number }} [options] how far the bar's ends lie inside the canvas; 0: words are flush with the ends
 */
export function drawScale(canvas, table, [left, middle, right], ink, { inset = 0 } = {}) {
  const ctx = sharpen(canvas, WIDE, 30, textScale());
  const first = Math.max(inset, 1); // the frame needs the pixel before it
  const room = WIDE - 2 * first;
  for (let i = 0; i < room; i++) {
    ctx.fillStyle = cssOf(table[Math.round((i / (room - 1)) * 255)]);
    ctx.fillRect(first + i, 2, 1.5, 9);
  }
  ctx.strokeStyle = ink.line;
  ctx.strokeRect(first - 0.5, 1.5, room + 1, 10);
  ctx.fillStyle = ink.text;
  ctx.font = `11px ${ink.font}`;
  ctx.textAlign = inset ? "center" : "left";
  ctx.fillText(left, inset, 25);
  ctx.textAlign = "center";
  ctx.fillText(middle, WIDE / 2, 25);
  ctx.textAlign = inset ? "center" : "right";
  ctx.fillText(right, WIDE - inset, 25);
}
