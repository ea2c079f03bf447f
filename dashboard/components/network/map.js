// Every state of a network on a plane, as in Learn's energy landscape: neighbours differ by one pixel.

import { context, newCanvas } from "../lib/canvas.js";
import { abgr, colourTable, hexRgb } from "../lib/colour.js";
import { clamp } from "../lib/numbers.js";

const DEEPEST = 12; // nats that the colours span at most
const board = newCanvas();

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {import("../lib/plane.js").Plane} plane
 * @param {number} cell units a state
 * @param {Uint32Array<ArrayBuffer>} pixels one a place, row by row
 * @param {string} line the frame's colour
 */
export function drawPlane(ctx, plane, cell, pixels, line) {
  Object.assign(board, { width: plane.columns, height: plane.rows });
  const image = new ImageData(new Uint8ClampedArray(pixels.buffer), plane.columns, plane.rows);
  context(board).putImageData(image, 0, 0);
  ctx.imageSmoothingEnabled = false;
  ctx.drawImage(board, 0, 0, plane.columns * cell, plane.rows * cell);
  ctx.strokeStyle = line;
  ctx.strokeRect(0.5, 0.5, plane.columns * cell - 1, plane.rows * cell - 1);
}

/**
 * The pixels of basins: each state in the colour of the state in which it comes to rest.
 * @param {import("../lib/plane.js").Plane} plane
 * @param {Uint16Array} rests
 * @param {Map<number, string>} colours hex, by the number of the state of rest
 */
export function basinPixels(plane, rests, colours) {
  const table = new Map([...colours].map(([state, hex]) => [state, abgr(hexRgb(hex))]));
  return Uint32Array.from(plane.states, (state) => table.get(rests[state]) ?? 0xff888888);
}

/**
 * The pixels of probabilities: the likelier, the stronger.
 * @param {import("../lib/plane.js").Plane} plane
 * @param {Float32Array} logP
 * @param {string[]} stops
 */
export function depthPixels(plane, logP, stops) {
  const top = logP.reduce((x, y) => Math.max(x, y), Number.NEGATIVE_INFINITY);
  const bottom = logP.reduce((x, y) => Math.min(x, y), top);
  const span = clamp(top - bottom, 1, DEEPEST);
  const table = colourTable(stops);
  return Uint32Array.from(
    plane.states,
    (v) => table[Math.round(255 * clamp(1 - (top - logP[v]) / span, 0, 1))],
  );
}
