// Matrices of weights, statistics or gradients: rows are pixels, columns hidden units; the last row and column are the
// biases.

import { clamp, fixed, pretty } from "../lib/numbers.js";

const GAP = 5; // before the biases
const HEAD = 15; // above the matrix, for its names
const SMALL = 4; // units a layer up to which the numbers are written
const NUMBERED = 40; // units a cell from which on a number fits

/**
 * @typedef {object} Look
 * @property {number} low the value of the first colour
 * @property {number} high of the last
 * @property {string[]} stops
 * @property {number} [most] units across that the matrix may take
 * @property {number} [tall] units down
 * @property {string | null} name
 */

/** A matrix on a canvas, and what the pointer is at in it. */
export class Matrix {
  /**
   * @param {import("./learn.js").Learn} view
   * @param {HTMLCanvasElement} canvas
   */
  constructor(view, canvas) {
    this.view = view;
    this.canvas = canvas;
    this.cell = 0;
    this.line = 0;
    this.name = "";
    /** @type {ArrayLike<number>} */
    this.flat = [];
    canvas.onpointermove = (e) => this.hover(e);
    canvas.onpointerleave = () => view.hush();
  }
  /**
   * The value in row i and column j; NaN in the corner of both biases.
   * @param {number} i
   * @param {number} j
   */
  value(i, j) {
    const { n_visible: V, n_hidden: H } = this.view.h;
    if (i < V) return j < H ? this.flat[i * H + j] : this.flat[V * H + i];
    return j < H ? this.flat[V * H + V + j] : Number.NaN;
  }
  /**
   * Sets the size of a cell: as large as the room allows; squares, but numbers are wider than high.
   * @param {number} most
   * @param {number} tall
   */
  measure(most, tall) {
    const { n_visible: V, n_hidden: H } = this.view.h;
    const fit = (/** @type {number} */ room, /** @type {number} */ n, /** @type {number} */ largest) =>
      Math.floor(clamp((room - GAP) / (n + 1), 8, largest));
    this.cell = fit(most, H, 46);
    this.line = fit(tall - HEAD, V, 44);
    if (V > SMALL || H > SMALL) this.cell = this.line = Math.min(this.cell, this.line);
  }
  /**
   * @param {ArrayLike<number>} flat (VH + V + H)
   * @param {Look} look
   */
  draw(flat, { low, high, stops, most = 230, tall = 250, name }) {
    const { pen, h } = this.view;
    const { n_visible: V, n_hidden: H } = h;
    this.flat = flat;
    this.name = name ?? "";
    this.measure(most, tall);
    const { cell, line } = this;
    const x = (/** @type {number} */ j) => j * cell + (j === H ? GAP : 0);
    const y = (/** @type {number} */ i) => HEAD + i * line + (i === V ? GAP : 0);
    const ctx = pen.sheet(this.canvas, (H + 1) * cell + GAP, HEAD + (V + 1) * line + GAP);
    pen.text(ctx, H * cell < 72 ? "h" : "hidden units", (H * cell) / 2, 10, { align: "center", size: 11 });
    pen.text(ctx, "b", x(H) + cell / 2, 10, { align: "center", size: 11 });
    pen.text(ctx, "c", x(H) + 2, y(V) + line / 2 + 4, { size: 11 });
    const numbers = V <= SMALL && H <= SMALL && cell >= NUMBERED;
    for (let i = 0; i <= V; i++) {
      for (let j = 0; j <= H; j++) {
        const z = this.value(i, j);
        if (i === V && j === H) continue;
        const shade = (z - low) / (high - low || 1);
        ctx.fillStyle = pen.mix(stops, shade);
        ctx.fillRect(x(j), y(i), cell - 1, line - 1);
        if (numbers) {
          const colour = this.inkOn(stops, shade);
          const look = { align: /** @type {const} */ ("center"), size: 12, alpha: 1, weight: 600, colour };
          pen.text(ctx, fixed(z, 2), x(j) + cell / 2 - 0.5, y(i) + line / 2 + 4, look);
        }
      }
    }
    ctx.strokeStyle = pen.ink.line;
    ctx.strokeRect(0.5, HEAD + 0.5, H * cell - 1, V * line - 1);
    this.canvas.setAttribute("aria-label", `${name}: ${V} pixels by ${H} hidden units, and the biases`);
  }
  /**
   * The colour of a number on a shade.
   * @param {string[]} stops
   * @param {number} shade
   */
  inkOn(stops, shade) {
    const { pen } = this.view;
    const strong = stops === pen.stops ? Math.abs(shade - 0.5) > 0.22 : shade > 0.5;
    if (strong !== pen.dark) return "#fff";
    return strong ? "#111" : pen.ink.text;
  }
  /** @param {PointerEvent} e */
  hover(e) {
    if (!this.cell) return;
    const { pen, h } = this.view;
    const { n_visible: V, n_hidden: H, shape } = h;
    const [x, y] = pen.spotOf(e, this.canvas);
    const at = (/** @type {number} */ z, /** @type {number} */ n, /** @type {number} */ size) => {
      const k = Math.floor(z / size);
      if (k < n) return k;
      return z >= n * size + GAP ? n : -1;
    };
    const j = at(x, H, this.cell);
    const i = at(y - HEAD, V, this.line);
    if (i < 0 || j < 0 || i > V || j > H || (i === V && j === H)) {
      this.view.hush();
      return;
    }
    const pixel = `pixel row ${Math.floor(i / shape[1]) + 1}, column ${(i % shape[1]) + 1}`;
    const unit = `hidden unit ${j + 1}`;
    let whose = `${pixel} · ${unit}`;
    if (i === V) whose = `bias of ${unit}`;
    else if (j === H) whose = `bias of ${pixel}`;
    this.view.tell(e, null, `${this.name}\n${whose}: ${pretty(this.value(i, j))}`);
  }
}
