// The chosen tile, enlarged, with what is known about it.

import { sharpen } from "../lib/canvas.js";
import { cssOf } from "../lib/colour.js";
import { el } from "../lib/dom.js";

const LARGEST = 196; // css pixels
const LINES = 16; // columns of a table that the card names
const ALL = "All about this unit, on the Inspect page";

/** The card of one mosaic. */
export class Card {
  /** @param {import("./mosaic.js").Mosaic} view */
  constructor(view) {
    this.view = view;
    this.canvas = el("canvas", { role: "img" });
    this.facts = el("div", { class: "facts" });
    this.buttons = el("div", { class: "row" });
    const words = el("div", {}, this.facts, this.buttons);
    this.box = el("div", { class: "card", hidden: "" }, this.canvas, words);
  }
  /** @param {boolean} inspect whether the unit can be opened on the Inspect page */
  furnish(inspect) {
    const { view } = this;
    const move = (/** @type {number} */ by) => view.pick((view.chosenPlace() ?? 0) + by);
    this.buttons.replaceChildren(
      ...(inspect ? [el("button", { title: ALL, onclick: () => view.open() }, "inspect")] : []),
      el("button", { onclick: () => move(-1) }, "previous"),
      el("button", { onclick: () => move(1) }, "next"),
      el("button", { onclick: () => view.choose(null) }, "close"),
    );
  }
  draw() {
    const { view } = this;
    const tile = view.chosen;
    this.box.hidden = tile === null || Boolean(view.h.opens);
    if (tile === null || this.box.hidden) return;
    const [th, tw] = view.h.shape;
    this.canvas.hidden = Boolean(view.h.table);
    const size = Math.max(1, Math.floor(LARGEST / Math.max(th, tw)));
    const ctx = sharpen(this.canvas, tw * size, th * size);
    const source = view.source();
    for (let p = 0; p < th * tw; p++) {
      ctx.fillStyle = cssOf(view.shades[source[tile * th * tw + p] & 255]);
      ctx.fillRect((p % tw) * size, Math.floor(p / tw) * size, size, size);
    }
    this.canvas.setAttribute("aria-label", `${view.nameOf(tile)}, enlarged`);
    // Over the half of the mosaic that the chosen tile is not in.
    const right = (view.chosenPlace() ?? 0) % view.grid.columns < view.grid.columns / 2;
    this.box.style.left = right ? "" : "0";
    this.box.style.right = right ? "0" : "";
    const facts = view.facts(tile).map((fact) => el("div", {}, fact));
    const cells = view.h.table ? this.cells(tile) : [];
    this.facts.replaceChildren(el("div", { class: "title" }, view.nameOf(tile)), ...facts, ...cells);
  }
  /**
   * A row of a table in words: each column's value; of many columns those that are largest.
   * @param {number} tile
   */
  cells(tile) {
    const { view } = this;
    const tw = view.h.shape[1];
    const source = view.source();
    const order = Array.from({ length: tw }, (_, i) => i);
    if (tw > LINES) order.sort((a, b) => Math.abs(source[tile * tw + b]) - Math.abs(source[tile * tw + a]));
    const shown = order.slice(0, LINES).map((i) => el("div", {}, view.cellWords(tile, i)));
    return tw > LINES ? [...shown, el("div", {}, `and ${tw - LINES} more columns`)] : shown;
  }
}
