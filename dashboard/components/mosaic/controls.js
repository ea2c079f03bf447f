// The controls of a mosaic: the filters' order, base, colours, contrast and scale; the particles' samples.

import { el } from "../lib/dom.js";
import { pretty } from "../lib/numbers.js";

/** The controls of one mosaic, made once its kind is known. */
export class Controls {
  /** @param {import("./mosaic.js").Mosaic} view */
  constructor(view) {
    this.view = view;
    /** Whether filters are grey instead of coloured about zero. */
    this.grey = false;
    /** The reader's factor on the common scale. */
    this.gain = 1;
    /** @type {number | null} a scale kept while time moves */
    this.held = null;
    /** Whether drawn pixels are shown instead of their probabilities. */
    this.binary = false;
    this.basesShown = "";
    this.box = el("div", { class: "row tools" });
    const { sorts, bases } = view.h;
    /** @type {HTMLSelectElement | null} */
    this.sortPicker = null;
    /** @type {HTMLSelectElement | null} */
    this.basePicker = null;
    if (sorts) this.furnishFilters(sorts, bases);
    else if (view.a.bits) this.furnishParticles();
  }
  /** What the page chose. */
  follow() {
    const { sort = "", bases = [], base = "0" } = this.view.h;
    if (this.sortPicker) this.sortPicker.value = sort;
    if (!this.basePicker) return;
    if (this.basesShown !== bases.join()) {
      this.basesShown = bases.join();
      const changes = bases.map((s) =>
        el("option", { value: `since ${s}` }, `change since step ${pretty(s)}`),
      );
      this.basePicker.replaceChildren(el("option", { value: "0" }, "weights"), ...changes);
    }
    this.basePicker.value = base;
  }
  /**
   * @param {[string, string][]} sorts
   * @param {number[]} [bases]
   */
  furnishFilters(sorts, bases) {
    const order = "Order of the units; it stays as it is while time moves, so that each unit keeps its place";
    const changed = "The weights, or what changed in them since an earlier step";
    const sort = el("select", { "aria-label": "Order of the units", title: order });
    sort.onchange = () => this.view.say("sort", sort.value);
    sort.append(...sorts.map(([key, label]) => el("option", { value: key }, label)));
    this.sortPicker = sort;
    const base = el("select", { "aria-label": "Weights, or what changed", title: changed });
    base.onchange = () => this.view.say("base", base.value);
    const grey = this.toggle("grey", "Grey instead of colours about zero", () => {
      this.grey = !this.grey;
      return this.grey;
    });
    const words = { title: "Contrast: where the colours saturate", "aria-label": "Contrast" };
    const gain = el("input", { type: "range", min: -1, max: 1, step: 0.05, value: 0, ...words });
    gain.oninput = () => {
      this.gain = 2.5 ** -Number(gain.value);
      this.view.repaint();
    };
    const hold = this.toggle(
      "hold scale",
      "Keep this scale while time moves, to see the weights grow",
      () => {
        this.held = this.held === null ? this.view.h.scale : null;
        return this.held !== null;
      },
    );
    const contrast = el("label", {}, "contrast", gain);
    const panel = el("div", { class: "row panel" }, sort, grey, contrast);
    if (bases) {
      this.basePicker = base;
      panel.replaceChildren(base, sort, grey, contrast, hold);
    }
    this.box.append(this.unfolder(panel), panel);
  }
  /**
   * The button that opens the panel where there is no room for it beside the title.
   * @param {HTMLElement} panel
   */
  unfolder(panel) {
    const words = "Order, colours, contrast and scale of the filters";
    const button = el("button", { class: "unfold", "aria-expanded": "false", title: words }, "view");
    button.onclick = () => {
      const open = panel.classList.toggle("open");
      button.setAttribute("aria-expanded", String(open));
    };
    return button;
  }
  furnishParticles() {
    const words = "Show the drawn pixels v instead of their probabilities p(v|h)";
    const samples = this.toggle("samples", words, () => {
      this.binary = !this.binary;
      return this.binary;
    });
    this.box.append(samples);
  }
  /**
   * A button that is on or off.
   * @param {string} word
   * @param {string} title
   * @param {() => boolean} turn whether it is on now
   */
  toggle(word, title, turn) {
    const button = el("button", { "aria-pressed": "false", title }, word);
    button.onclick = () => {
      button.setAttribute("aria-pressed", String(turn()));
      this.view.repaint();
    };
    return button;
  }
}
