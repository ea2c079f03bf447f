// What the pointer is at, in words beside it; of a hidden unit, its filter too.

import { context, spotOf } from "../lib/canvas.js";
import { find, findCanvas } from "../lib/dom.js";
import { inWords } from "../lib/table.js";

/** The player's tooltip. */
export class Tip {
  /** @param {import("./player.js").Player} player */
  constructor(player) {
    this.player = player;
    this.box = find(player.box, ".tip");
    this.words = find(this.box, "span");
    this.canvas = findCanvas(this.box);
  }
  hide() {
    this.box.hidden = true;
  }
  /**
   * @param {MouseEvent} e
   * @param {string} text
   * @param {Float32Array | null} [filter] (V)
   */
  show(e, text, filter = null) {
    this.words.textContent = inWords(text, this.player.film.table);
    this.canvas.hidden = filter === null;
    if (filter) this.paint(filter);
    this.box.hidden = false;
    const [x, y] = spotOf(e, this.player.box);
    const wide = this.box.offsetWidth;
    const left = x + 16 + wide > this.player.box.getBoundingClientRect().width ? x - wide - 12 : x + 16;
    this.box.style.transform = `translate(${Math.max(0, left)}px, ${y + 14}px)`;
  }
  /** @param {Float32Array} filter */
  paint(filter) {
    const { boards, film, look } = this.player;
    const [rows, columns] = film.image_shape;
    const { pixels } = boards.get("filter", columns, rows);
    const most = filter.reduce((a, w) => Math.max(a, Math.abs(w)), 1e-6);
    for (const [i, w] of filter.entries()) pixels[i] = look.weights[Math.round(127.5 + (127.5 * w) / most)];
    const c = context(this.canvas);
    c.imageSmoothingEnabled = false;
    c.drawImage(boards.shown("filter"), 0, 0, this.canvas.width, this.canvas.height);
  }
}
