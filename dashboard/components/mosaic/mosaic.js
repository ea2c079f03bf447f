// A mosaic of small images on one common scale: filters of hidden units, or fantasy particles.

import { newCanvas, pixelRatio, putPixels, sharpen, spotOf } from "../lib/canvas.js";
import { colourTable, cssOf } from "../lib/colour.js";
import { el } from "../lib/dom.js";
import { pretty } from "../lib/numbers.js";
import { PALETTE } from "../lib/palette.js";
import { saveButtons } from "../lib/save.js";
import { drawScale } from "../lib/scale.js";
import { diverging } from "../lib/theme.js";
import { onResize, show, View } from "../lib/view.js";
import { filterGrid, GAP, sheet, signedTable, squareGrid } from "./tiles.js";

/**
 * @typedef {object} Header
 * @property {string} version
 * @property {boolean} [same]
 * @property {"filters" | "particles"} kind
 * @property {[number, number]} shape rows and columns of a tile
 * @property {string} unit of the values
 * @property {string} noun what a tile is
 * @property {number} range filters: the value of the byte 127
 * @property {number} scale filters: the value at which the colours end
 * @property {number} [low] particles: the value of the byte 0, if not 0
 * @property {number} [high] particles: the value of the byte 255, if not 1
 * @property {number[] | null} [order] the tile at each place
 * @property {string} title
 * @property {string} note
 * @property {string} [hint]
 * @property {string} [name] what a saved file is called
 * @property {import("../lib/save.js").Source} of
 * @property {string} [sort] which of the sorts the order is
 * @property {[string, string][]} [sorts] keys and words
 * @property {number[]} [bases] steps since which the change can be shown
 * @property {string} [base] which of them is shown
 * @property {[string, string][]} facts names and units of what is known about each tile
 * @property {boolean} [opens] a click says open = the tile's unit, instead of showing a card
 * @property {number | null} [chosen] the tile framed then
 * @property {boolean} [inspect] the card has a button that says open
 */
/**
 * tiles: (n, h · w), 127 = range where filters, 255 = 1 where particles; bits: (n, h · w) drawn pixels; facts: (n, k);
 * units: the number of each tile, if not its place in `tiles`.
 * @typedef {object} Arrays
 * @property {(Int8Array | Uint8Array) & { shape: number[] }} tiles
 * @property {Uint8Array} [bits]
 * @property {Float32Array} facts
 * @property {Int32Array} [units]
 */

const CARD = 196; // css pixels of the tile on the card

class Mosaic extends View {
  /** @type {Header} */
  h;
  /** @type {Arrays} */
  a;
  /** @type {import("./tiles.js").Grid} */
  grid;
  /** @type {[number, number] | undefined} css pixels from one tile to the next */
  step;
  /** @type {Uint32Array} the pixel of each byte */
  shades;
  /** Whether filters are grey instead of coloured about zero. */
  grey = false;
  /** The reader's factor on the common scale. */
  gain = 1;
  /** @type {number | null} a scale kept while time moves */
  held = null;
  /** Whether drawn pixels are shown instead of their probabilities. */
  binary = false;
  /** @type {number | null} the place under the pointer */
  over = null;
  /** @type {number | null} the tile chosen */
  chosen = null;
  /** @type {string | null} what the sheet was painted for */
  painted = null;
  /** @type {HTMLSelectElement | undefined} */
  sortPicker;
  /** @type {HTMLSelectElement | undefined} */
  basePicker;
  basesShown = "";

  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    this.title = el("div", { class: "title" });
    this.tools = el("div", { class: "row tools" });
    this.canvas = el("canvas", { role: "img", tabindex: "0" });
    this.tip = el("div", { class: "tip", hidden: "" });
    this.card = el("div", { class: "card", hidden: "" });
    this.scaleBar = el("canvas", { class: "scale", role: "img" });
    this.note = el("div", { class: "note" });
    this.cardCanvas = el("canvas", { role: "img" });
    this.cardText = el("div", { class: "facts" });
    const head = el("div", { class: "row" }, this.title, saveButtons(this));
    root.append(
      el("div", { class: "row spread" }, head, this.tools),
      el("div", { class: "stage" }, this.canvas, this.card, this.tip),
      el("div", { class: "row spread foot" }, this.note, this.scaleBar),
    );
    this.off = newCanvas();
    this.observer = onResize(this, root);
    this.listen();
  }
  close() {
    this.observer.disconnect();
  }

  /** @param {{ header: Header, arrays: Arrays }} blob */
  receive({ header, arrays }) {
    if (this.stale(header) || header.same) return;
    const first = !this.h;
    this.h = header;
    this.a = arrays;
    if (first) this.furnish();
    if (this.sortPicker) this.sortPicker.value = header.sort ?? "";
    if (this.basePicker) this.fillBases(this.basePicker);
    if (header.opens) this.chosen = header.chosen ?? null;
    if (this.chosen !== null && this.chosen >= this.n) this.chosen = null;
    this.painted = null;
  }
  get n() {
    return this.a.tiles.shape[0];
  }
  /** The value at which the colours end. */
  get range() {
    return (this.held ?? this.h.scale) * this.gain;
  }
  /** @param {number} place */
  tileAt(place) {
    return this.h.order ? this.h.order[place] : place;
  }
  chosenPlace() {
    if (this.chosen === null) return null;
    return this.h.order ? this.h.order.indexOf(this.chosen) : this.chosen;
  }

  // Controls, once the kind is known

  furnish() {
    const { sorts, bases, inspect } = this.h;
    if (sorts) this.furnishFilters(sorts, bases);
    else if (this.a.bits) this.furnishParticles();
    const all = "All about this unit, on the Inspect page";
    const move = (/** @type {number} */ by) => this.pick((this.chosenPlace() ?? 0) + by);
    const buttons = [
      ...(inspect ? [el("button", { title: all, onclick: () => this.open() }, "inspect")] : []),
      el("button", { onclick: () => move(-1) }, "previous"),
      el("button", { onclick: () => move(1) }, "next"),
      el("button", { onclick: () => this.choose(null) }, "close"),
    ];
    this.card.append(this.cardCanvas, el("div", {}, this.cardText, el("div", { class: "row" }, ...buttons)));
  }
  /**
   * @param {[string, string][]} sorts
   * @param {number[]} [bases]
   */
  furnishFilters(sorts, bases) {
    const order = "Order of the units; it stays as it is while time moves, so that each unit keeps its place";
    const changed = "The weights, or what changed in them since an earlier step";
    const sort = el("select", { "aria-label": "Order of the units", title: order });
    sort.onchange = () => this.say("sort", sort.value);
    sort.append(...sorts.map(([key, label]) => el("option", { value: key }, label)));
    this.sortPicker = sort;
    const base = el("select", { "aria-label": "Weights, or what changed", title: changed });
    base.onchange = () => this.say("base", base.value);
    const grey = this.toggle("grey", "Grey instead of colours about zero", () => {
      this.grey = !this.grey;
      return this.grey;
    });
    const words = { title: "Contrast: where the colours saturate", "aria-label": "Contrast" };
    const gain = el("input", { type: "range", min: -1, max: 1, step: 0.05, value: 0, ...words });
    gain.oninput = () => {
      this.gain = 2.5 ** -Number(gain.value);
      this.repaint();
    };
    const hold = this.toggle(
      "hold scale",
      "Keep this scale while time moves, to see the weights grow",
      () => {
        this.held = this.held === null ? this.h.scale : null;
        return this.held !== null;
      },
    );
    const contrast = el("label", {}, "contrast", gain);
    if (bases) {
      this.basePicker = base;
      this.tools.append(base, sort, grey, contrast, hold);
    } else this.tools.append(sort, grey, contrast);
  }
  furnishParticles() {
    const words = "Show the drawn pixels v instead of their probabilities p(v|h)";
    const samples = this.toggle("samples", words, () => {
      this.binary = !this.binary;
      return this.binary;
    });
    this.tools.append(samples);
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
      this.repaint();
    };
    return button;
  }
  /** @param {HTMLSelectElement} picker */
  fillBases(picker) {
    const { bases = [], base = "0" } = this.h;
    if (this.basesShown !== bases.join()) {
      this.basesShown = bases.join();
      const changes = bases.map((s) =>
        el("option", { value: `since ${s}` }, `change since step ${pretty(s)}`),
      );
      picker.replaceChildren(el("option", { value: "0" }, "weights"), ...changes);
    }
    picker.value = base;
  }

  // Drawing

  repaint() {
    this.painted = null;
    this.draw();
  }
  colours() {
    const grey = this.h.kind === "particles" || this.grey;
    return colourTable(grey ? PALETTE.grey : diverging(this.dark));
  }
  /**
   * Every tile at its own pixels, once for a payload, a width and a way to show it.
   * @param {number} width
   */
  paint(width) {
    const { kind, shape, range } = this.h;
    const filters = kind === "filters";
    this.grid = (filters ? filterGrid : squareGrid)(this.n, shape, width, pixelRatio());
    this.shades = filters ? signedTable(this.colours(), range, this.range) : this.colours();
    const order = this.h.order ?? Array.from({ length: this.n }, (_, k) => k);
    const { pixels, width: w, height: h } = sheet(this.source(), order, shape, this.grid, this.shades);
    putPixels(this.off, pixels, w, h);
  }
  source() {
    return this.binary && this.a.bits ? this.a.bits : this.a.tiles;
  }
  draw() {
    const width = Math.floor(this.root.clientWidth);
    if (!this.h || !width) return;
    const key = `${width} ${this.dark} ${pixelRatio()}`;
    if (this.painted !== key) {
      this.paint(width);
      this.painted = key;
    }
    this.drawTiles(width);
    this.title.textContent = this.h.title;
    this.note.textContent = [this.h.note, this.h.hint].filter(Boolean).join(" ");
    this.canvas.setAttribute("aria-label", `${this.h.title}: ${this.n} tiles. ${this.h.note}`);
    this.drawScale();
    this.drawCard();
  }
  /** @param {number} width */
  drawTiles(width) {
    const [th, tw] = this.h.shape;
    const { columns, rows, size } = this.grid;
    const high = (size * th) / tw;
    const ctx = sharpen(this.canvas, width, Math.ceil(rows * (high + GAP)));
    const grain = (size * pixelRatio()) / tw;
    ctx.imageSmoothingEnabled = grain < 4 && !Number.isInteger(Math.round(grain * 1000) / 1000);
    ctx.imageSmoothingQuality = "high";
    const [dx, dy] = [size + GAP, high + GAP];
    this.step = [dx, dy];
    ctx.fillStyle = this.ink.line;
    for (let place = 0; place < this.n; place++) {
      const c = place % columns;
      const r = Math.floor(place / columns);
      ctx.fillRect(c * dx, r * dy, size + 2, high + 2);
      ctx.drawImage(this.off, c * (tw + 1), r * (th + 1), tw, th, 1 + c * dx, 1 + r * dy, size, high);
    }
    const frame = (
      /** @type {number | null} */ place,
      /** @type {string} */ colour,
      /** @type {number} */ wide,
    ) => {
      if (place === null || place < 0) return;
      ctx.strokeStyle = colour;
      ctx.lineWidth = wide;
      const r = Math.floor(place / columns);
      ctx.strokeRect((place % columns) * dx + 0.5, r * dy + 0.5, size + 1, high + 1);
    };
    frame(this.over, this.ink.text, 1.5);
    frame(this.chosenPlace(), this.ink.accent, 2.5);
  }
  drawScale() {
    const { kind, low = 0, high = 1, unit } = this.h;
    const signed = kind === "filters";
    /** @type {[string, string, string]} */
    const words = signed
      ? [pretty(-this.range, 2), "0", `+${pretty(this.range, 2)}`]
      : [pretty(low, 2), unit, pretty(high, 2)];
    drawScale(this.scaleBar, this.colours(), words, this.ink);
    const label = signed ? `Scale from ${-this.range} to ${this.range}` : "Scale from 0 to 1";
    this.scaleBar.setAttribute("aria-label", label);
  }
  /** The chosen tile, enlarged, with what is known about it. */
  drawCard() {
    const tile = this.chosen;
    this.card.hidden = tile === null || Boolean(this.h.opens);
    if (tile === null || this.card.hidden) return;
    const [th, tw] = this.h.shape;
    const size = Math.max(1, Math.floor(CARD / Math.max(th, tw)));
    const ctx = sharpen(this.cardCanvas, tw * size, th * size);
    const source = this.source();
    for (let p = 0; p < th * tw; p++) {
      ctx.fillStyle = cssOf(this.shades[source[tile * th * tw + p] & 255]);
      ctx.fillRect((p % tw) * size, Math.floor(p / tw) * size, size, size);
    }
    this.cardCanvas.setAttribute("aria-label", `${this.nameOf(tile)}, enlarged`);
    // Over the half of the mosaic that the chosen tile is not in.
    const right = (this.chosenPlace() ?? 0) % this.grid.columns < this.grid.columns / 2;
    this.card.style.left = right ? "" : "0";
    this.card.style.right = right ? "0" : "";
    const facts = this.facts(tile).map((fact) => el("div", {}, fact));
    this.cardText.replaceChildren(el("div", { class: "title" }, this.nameOf(tile)), ...facts);
  }

  // What a tile is, and choosing one

  /** @param {number} tile */
  numberOf(tile) {
    return this.a.units ? this.a.units[tile] : tile;
  }
  /** @param {number} tile */
  nameOf(tile) {
    return `${this.h.noun} ${this.numberOf(tile)}`;
  }
  /** @param {number} tile */
  facts(tile) {
    const { facts } = this.h;
    return facts.map(([label, noun], i) => {
      const value = pretty(this.a.facts[tile * facts.length + i], 3);
      return `${label} ${value}${noun ? ` ${noun}` : ""}`;
    });
  }
  /** @param {number} place */
  pick(place) {
    if (place >= 0 && place < this.n) this.choose(this.tileAt(place));
  }
  /** @param {number | null} tile */
  choose(tile) {
    this.chosen = tile;
    this.draw();
  }
  open() {
    if (this.chosen !== null) this.ask("open", this.numberOf(this.chosen));
  }
  picture() {
    if (!this.h) return null;
    const { title, note, of, name, kind } = this.h;
    return { title, note, of, name: name || kind, rows: [[this.canvas], [this.scaleBar]] };
  }

  // Pointer and keys

  listen() {
    this.canvas.addEventListener("pointermove", (event) => this.hover(event));
    this.canvas.addEventListener("pointerleave", () => {
      this.over = null;
      this.tip.hidden = true;
      this.draw();
    });
    this.canvas.addEventListener("click", (event) => {
      const place = this.placeAt(event);
      if (place === null) return;
      if (this.h.opens) {
        this.pick(place);
        this.open();
      } else this.choose(place === this.chosenPlace() ? null : this.tileAt(place));
    });
    this.canvas.addEventListener("keydown", (event) => this.key(event));
  }
  /** @param {MouseEvent} event */
  placeAt(event) {
    if (!this.h || !this.step) return null;
    const [x, y] = spotOf(event, this.canvas);
    const { columns } = this.grid;
    const c = Math.floor(x / this.step[0]);
    const place = Math.floor(y / this.step[1]) * columns + c;
    return c >= 0 && c < columns && place >= 0 && place < this.n ? place : null;
  }
  /** @param {MouseEvent} event */
  hover(event) {
    if (!this.h || !this.step) return;
    this.over = this.placeAt(event);
    this.tip.hidden = this.over === null;
    if (this.over !== null) {
      const tile = this.tileAt(this.over);
      this.tip.textContent = [this.nameOf(tile), ...this.facts(tile)].join("\n");
      // Beside the tile, never on it.
      const { columns, size } = this.grid;
      const wide = this.canvas.clientWidth;
      const x = (this.over % columns) * this.step[0];
      this.tip.style.left = x > wide / 2 ? "" : `${x + size + 8}px`;
      this.tip.style.right = x > wide / 2 ? `${wide - x + 8}px` : "";
      this.tip.style.top = `${Math.floor(this.over / columns) * this.step[1]}px`;
    }
    this.draw();
  }
  /** @param {KeyboardEvent} event */
  key(event) {
    if (!this.h) return;
    if (event.key === "Escape") this.choose(null);
    if (event.key === "Enter" && this.h.opens) this.open();
    const { columns } = this.grid;
    /** @type {Record<string, number>} */
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
    if (!(event.key in steps)) return;
    event.preventDefault();
    this.pick((this.chosenPlace() ?? -1) + steps[event.key]);
  }
}

/** @param {import("../lib/view.js").Mounted} component */
export default (component) => show(component, Mosaic);
