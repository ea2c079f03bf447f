// The legend: each line's value at the pointer, else at the moment that the page shows; a click hides a line.

import { el } from "../lib/dom.js";
import { pretty } from "../lib/numbers.js";
import { pointsOf } from "./rows.js";

const LOOK_BACK = 400; // rows, for the value that the legend shows

/** The legend of a chart. */
export class Legend {
  /** @param {import("./curves.js").Curves} view */
  constructor(view) {
    this.view = view;
    this.box = el("div", { class: "row legend" });
    /** @type {Set<string>} columns of the curves that are switched off */
    this.hidden = new Set();
    /** @type {Record<string, string>} the values shown, by column */
    this.values = {};
    this.builtFor = "";
  }
  clear() {
    this.box.replaceChildren();
    this.builtFor = ""; // built anew with the first point
  }
  /** @param {import("./plot.js").Curve[]} lines */
  fill(lines) {
    const { rows, cursor, hover, dark } = this.view;
    const key = lines.map((line) => line.column).join() + dark;
    if (this.builtFor !== key) {
      this.builtFor = key;
      this.box.replaceChildren(...lines.map((line) => this.button(line)));
    }
    const shown = cursor === null ? rows.n - 1 : rows.rowOf("step", cursor);
    const row = hover ?? shown;
    for (const [i, line] of lines.entries()) {
      const button = this.box.children[i];
      const off = this.hidden.has(line.column);
      this.values[line.column] = pretty(this.valueAt(line, row));
      if (button.lastChild) button.lastChild.textContent = this.values[line.column];
      button.classList.toggle("off", off);
      button.setAttribute("aria-pressed", String(!off));
    }
  }
  /** @param {import("./groups.js").Line} line */
  button(line) {
    const colour = `color: ${this.view.ink.lines[line.colour]}`;
    const swatch = el("span", { class: line.dash ? "swatch dashed" : "swatch", style: colour });
    const words = [el("span", {}, line.label), el("span", { class: "value" })];
    const button = el("button", { class: "key", title: "Show or hide this curve" }, swatch, ...words);
    button.dataset.column = line.column;
    button.onclick = () => {
      if (!this.hidden.delete(line.column)) this.hidden.add(line.column);
      this.view.draw();
    };
    return button;
  }
  /**
   * The last value recorded up to a row, else the newest estimate that is not later.
   * @param {import("./groups.js").Line} line
   * @param {number} row
   */
  valueAt(line, row) {
    const { rows, cursor, hover, estimates } = this.view;
    for (let i = row; i >= Math.max(0, row - LOOK_BACK); i--) {
      const value = rows.at(line.column, i);
      if (!Number.isNaN(value)) return value;
    }
    const now = hover === null && cursor !== null ? cursor : rows.at("step", Math.max(row, 0));
    let value = Number.NaN;
    for (const [step, y] of pointsOf(line, estimates)) if (step <= now || Number.isNaN(value)) value = y;
    return value;
  }
}
