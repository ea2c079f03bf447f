// What the last rung draws over the film, and below it a plain chain of as many sweeps.

import { newCanvas, putPixels, sharpen, textScale } from "../lib/canvas.js";
import { abgr } from "../lib/colour.js";

const GAP = 5;
const TITLE = 15;

/** A picture as a canvas of one pixel a unit. */
export class Stamp {
  constructor() {
    this.canvas = newCanvas();
  }
  /**
   * @param {Uint8Array} values 0 to 255
   * @param {[number, number]} shape rows, columns
   */
  of(values, [rows, columns]) {
    const pixels = new Uint32Array(rows * columns);
    for (let i = 0; i < pixels.length; i++) pixels[i] = abgr([values[i], values[i], values[i]]);
    putPixels(this.canvas, pixels, columns, rows);
    return this.canvas;
  }
}

/** Two rows of pictures, evenly spaced over the film's rounds; those to come are empty. */
export class Strips {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.stamp = new Stamp();
  }
  /** @param {import("./ladder.js").Ladder} view */
  paint({ film, frame, ink, colours, width }) {
    const s = textScale();
    const wide = width / s;
    const [rows, columns] = film.image_shape;
    const side = wide < 560 ? 34 : 46;
    const w = (side * columns) / Math.max(rows, columns);
    const h = (side * rows) / Math.max(rows, columns);
    const n = Math.max(2, Math.min(film.n_rounds + 1, Math.floor((wide + GAP) / (w + GAP))));
    const ctx = sharpen(this.canvas, wide, 2 * (h + TITLE + GAP) + GAP, s);
    ctx.font = `11px ${ink.font}`;
    ctx.textBaseline = "top";
    ctx.imageSmoothingEnabled = false;
    const now = frame >> 1;
    const space = (wide - n * w) / (n - 1);
    for (const [row, title] of [
      "the ladder's last rung",
      "a plain chain of the same machine, as many sweeps",
    ].entries()) {
      const y = row * (h + TITLE + GAP);
      ctx.fillStyle = ink.text;
      ctx.globalAlpha = 0.75;
      ctx.fillText(title, 0, y);
      ctx.globalAlpha = 1;
      for (let i = 0; i < n; i++) {
        const round = Math.round((i * film.n_rounds) / (n - 1));
        const x = i * (w + space);
        if (round > now) {
          ctx.globalAlpha = 0.07;
          ctx.fillRect(x, y + TITLE, w, h);
          ctx.globalAlpha = 1;
          continue;
        }
        const values = row ? film.plain(round) : film.picture(2 * round, film.K - 1);
        ctx.drawImage(this.stamp.of(values, film.image_shape), x, y + TITLE, w, h);
        ctx.fillStyle = row ? ink.text : colours[film.replicaAt(2 * round, film.K - 1)];
        ctx.fillRect(x, y + TITLE + h, w, 3);
        ctx.fillStyle = ink.text;
      }
    }
    return Math.round(film.n_rounds / (n - 1));
  }
}
