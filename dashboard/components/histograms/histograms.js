// Small histograms side by side: the weights, both biases, and their last increments.

import { segment, sharpen, textScale } from "../lib/canvas.js";
import { el } from "../lib/dom.js";
import { pretty } from "../lib/numbers.js";
import { saveButtons } from "../lib/save.js";
import { onResize, show, View } from "../lib/view.js";

/** @typedef {{ title: string, unit: string, colour: string }} Panel */
/**
 * @typedef {object} Header
 * @property {string} version
 * @property {boolean} [same]
 * @property {Panel[]} panels
 * @property {import("../lib/save.js").Source} of
 */
/** @typedef {Record<string, Int32Array | Float32Array>} Arrays counts0 (bins), edges0 (bins + 1), counts1, … */

const TITLE = "Parameters and their last update";
const NOTE =
  "How many parameters have which value, in nats; ↑ is the tallest bar. Heights are square roots of counts, so that the tails stay visible.";

/**
 * 4.9·10⁻⁷ where `pretty` writes 4.91e−7.
 * @param {number} x
 */
function power(x) {
  const raised = (/** @type {string} */ digits) => [...digits].map((d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(d)]).join("");
  return pretty(x, 2).replace(
    /(\.\d)\d?e(−?)(\d+)/,
    (_, digit, sign, e) => `${digit}·10${sign && "⁻"}${raised(e)}`,
  );
}

/** The histograms of one moment. */
class Histograms extends View {
  /** @type {Header | undefined} */
  h;
  /** @type {Arrays} */
  a;

  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    this.grid = el("div", { class: "grid" });
    const title = el("div", { class: "title" }, TITLE);
    root.append(
      el("div", { class: "row spread head" }, title, saveButtons(this)),
      this.grid,
      el("div", { class: "note" }, NOTE),
    );
    /** @type {{ name: string, canvas: HTMLCanvasElement, cell: HTMLElement }[]} one a panel */
    this.cells = [];
    this.observer = onResize(this, root);
  }
  close() {
    this.observer.disconnect();
  }

  /** @param {{ header: Header, arrays: Arrays }} blob */
  receive({ header, arrays }) {
    if (this.stale(header) || header.same) return;
    const fresh = this.h?.panels.length !== header.panels.length;
    this.h = header;
    this.a = arrays;
    if (!fresh) return;
    this.cells = header.panels.map(({ title: name }) => {
      const canvas = el("canvas", { role: "img" });
      return { name, canvas, cell: el("div", { class: "cell" }, el("div", { class: "name" }, name), canvas) };
    });
    this.grid.replaceChildren(...this.cells.map(({ cell }) => cell));
  }

  picture() {
    if (!this.h) return null;
    const cells = [...this.cells];
    const rows = [];
    while (cells.length) rows.push(cells.splice(0, 3));
    const note = "Number of parameters by value; ↑ is the tallest bar. Heights are square roots of counts.";
    return { title: TITLE, name: "histograms", of: this.h.of, rows, note };
  }
  table() {
    const panels = this.h?.panels ?? [];
    const rows = panels.flatMap(({ title }, i) => {
      const edges = this.a[`edges${i}`];
      return Array.from(this.a[`counts${i}`], (count, b) => [title, edges[b], edges[b + 1], count]);
    });
    return { columns: ["of", "from", "to", "count"], rows };
  }

  draw() {
    for (const [i, panel] of (this.h?.panels ?? []).entries()) {
      this.one(this.cells[i], panel, this.a[`counts${i}`], this.a[`edges${i}`]);
    }
  }
  /**
   * @param {{ cell: HTMLElement, canvas: HTMLCanvasElement }} place
   * @param {Panel} panel
   * @param {Arrays[string]} counts
   * @param {Arrays[string]} edges
   */
  one({ cell, canvas }, panel, counts, edges) {
    const em = textScale();
    const width = Math.floor(cell.clientWidth / em);
    if (!width) return;
    const high = 74;
    const ctx = sharpen(canvas, width, high + 30, em);
    const bins = counts.length;
    const low = edges[0];
    const span = edges[bins] - low;
    const top = Math.max(...counts, 1);
    const across = (/** @type {number} */ value) => ((value - low) / span) * width;
    ctx.fillStyle = this.ink.lines[panel.colour];
    for (let b = 0; b < bins; b++) {
      const x = across(edges[b]);
      const tall = Math.sqrt(counts[b] / top) * (high - 4);
      ctx.fillRect(x, high - tall, Math.max(0.7, across(edges[b + 1]) - x - 0.4), tall);
    }
    ctx.strokeStyle = this.ink.line;
    segment(ctx, 0, high + 0.5, width, high + 0.5);
    if (low < 0 && low + span > 0) segment(ctx, across(0), 0, across(0), high);
    ctx.fillStyle = this.ink.text;
    ctx.globalAlpha = 0.75;
    ctx.font = `11px ${this.ink.font}`;
    ctx.textAlign = "left";
    ctx.fillText(`↑ ${pretty(top)}`, 0, 9);
    ctx.fillText(power(low), 0, high + 14);
    ctx.textAlign = "right";
    ctx.fillText(power(low + span), width, high + 14);
    ctx.globalAlpha = 1;
    let total = 0;
    for (const count of counts) total += count;
    const range = `${pretty(low, 2)} to ${pretty(low + span, 2)}`;
    canvas.setAttribute("aria-label", `${panel.title}: ${total} values from ${range}`);
  }
}

/** @param {import("../lib/view.js").Mounted} component */
export default (component) => show(component, Histograms);
