// A mosaic of small images on one common scale: filters of hidden units, or fantasy particles.

import { context, newCanvas, pixelRatio, putPixels, sharpen, spotOf, textScale } from "../lib/canvas.js";
import { colourTable } from "../lib/colour.js";
import { el } from "../lib/dom.js";
import { pretty } from "../lib/numbers.js";
import { PALETTE } from "../lib/palette.js";
import { saveButtons } from "../lib/save.js";
import { drawScale } from "../lib/scale.js";
import { columnValue, drawNames, nameBand } from "../lib/table.js";
import { diverging } from "../lib/theme.js";
import { onResize, show, View } from "../lib/view.js";
import { Card } from "./card.js";
import { Controls } from "./controls.js";
import { filterGrid, GAP, sheet, signedTable, squareGrid, stripGrid } from "./tiles.js";

const LOWEST = 200; // css pixels of height that tiles have in the lowest window
const SETTLES = 1000; // ms that the tiles stay at a place before their height there is kept
const NARROW = 640; // css pixels of width: below, the controls of the filters are folded away
const TIGHT = 340; // up to here a title has no room for a step

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
 * @property {number} [in_use] filters: units from this number on are not yet in use
 * @property {string} [sort] which of the sorts the order is
 * @property {[string, string][]} [sorts] keys and words
 * @property {number[]} [bases] steps since which the change can be shown
 * @property {string} [base] which of them is shown
 * @property {[string, string][]} facts names and units of what is known about each tile
 * @property {boolean} [opens] a click says open = the tile's unit, instead of showing a card
 * @property {number | null} [chosen] the tile framed then
 * @property {boolean} [inspect] the card has a button that says open
 * @property {import("../lib/table.js").Table} [table] tiles are rows of a table, not pictures
 * @property {number} [leaves] css pixels that the tiles leave below them in a window that is not scrolled
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

/** The mosaic: its tiles, the one under the pointer and the one chosen, and what changes them. */
export class Mosaic extends View {
  /** @type {Header} */
  h;
  /** @type {Arrays} */
  a;
  /** @type {Controls} */
  controls;
  /** @type {import("./tiles.js").Grid} */
  grid;
  /** @type {[number, number] | undefined} css pixels from one tile to the next */
  step;
  /** @type {Uint32Array} the pixel of each byte */
  shades;
  /** @type {number | null} the place under the pointer */
  over = null;
  /** @type {number | null} the tile chosen */
  chosen = null;
  /** @type {number | undefined} see `sightIn` */
  sight;
  /** @type {{ window: string, top: number, at: number, kept: boolean } | undefined} where `sight` was measured */
  measured;
  settling = 0;
  /** @type {{ h: Header, a: Arrays } | null} what the page sent, while a frame of the timelapse stands in its place */
  sent = null;
  /** @type {string | null} what the sheet was painted for */
  painted = null;

  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    this.title = el("div", { class: "title" });
    this.tools = el("div", { class: "row tools" }); // until the kind is known
    this.canvas = el("canvas", { role: "img", tabindex: "0" });
    this.tip = el("div", { class: "tip", hidden: "" });
    this.card = new Card(this);
    this.scaleBar = el("canvas", { class: "scale", role: "img" });
    this.note = el("div", { class: "note" });
    const head = el("div", { class: "row" }, this.title, saveButtons(this));
    root.append(
      el("div", { class: "row spread" }, head, this.tools),
      el("div", { class: "stage" }, this.canvas, this.card.box, this.tip),
      el("div", { class: "row spread foot" }, this.note, this.scaleBar),
    );
    this.off = newCanvas();
    this.observer = onResize(this, root);
    this.stop = new AbortController();
    this.listen();
  }
  close() {
    this.observer.disconnect();
    this.stop.abort();
    clearTimeout(this.settling);
  }

  /** @param {{ header: Header, arrays: Arrays }} blob */
  receive({ header, arrays }) {
    if (this.stale(header) || header.same) return;
    const first = !this.h;
    this.sent = null;
    this.h = header;
    this.a = arrays;
    if (first) this.furnish();
    this.controls.follow();
    if (header.opens) this.chosen = header.chosen ?? null;
    if (this.chosen !== null && this.chosen >= this.n) this.chosen = null;
    this.painted = null;
  }
  /**
   * A frame of the timelapse that the time slider plays by itself, in place of what the page sent; null gives that back.
   * @param {Record<string, { header: Partial<Header>, arrays: Arrays }> | null} frame a part for each kind of mosaic
   */
  showFrame(frame) {
    if (!this.h) return;
    const part = frame?.[this.h.kind];
    const { h, a } = this.sent ?? this;
    this.sent = part ? { h, a } : null;
    this.h = part ? { ...h, ...part.header } : h;
    this.a = part ? { units: a.units, ...part.arrays } : a;
    this.repaint();
  }
  furnish() {
    this.controls = new Controls(this);
    this.tools.replaceWith(this.controls.box);
    this.card.furnish(Boolean(this.h.inspect));
  }
  get n() {
    return this.a.tiles.shape[0];
  }
  /** The value at which the colours end. */
  get range() {
    return (this.controls.held ?? this.h.scale) * this.controls.gain;
  }
  /** @param {number} place */
  tileAt(place) {
    return this.h.order ? this.h.order[place] : place;
  }
  chosenPlace() {
    if (this.chosen === null) return null;
    return this.h.order ? this.h.order.indexOf(this.chosen) : this.chosen;
  }

  /**
   * The css pixels of height in which the tiles are to be in sight; undefined where they may reach below the window.
   * Measured when the window or the width changes, until the lines above have settled, and not when one of them comes or
   * goes later: the tiles keep their size.
   * @param {number} width
   */
  sightIn(width) {
    const { leaves } = this.h;
    const window = `${width} ${innerWidth} ${innerHeight}`;
    const was = this.measured?.window === window ? this.measured : undefined;
    if (leaves === undefined || was?.kept) return this.sight;
    const host = /** @type {ShadowRoot} */ (this.root.getRootNode()).host;
    const scrolled = host.closest("[data-testid=stMain]")?.scrollTop ?? 0;
    const top = Math.round(this.canvas.getBoundingClientRect().top + scrolled);
    const now = performance.now();
    if (was?.top === top) was.kept = now - was.at >= SETTLES;
    else this.measured = { window, top, at: now, kept: false };
    clearTimeout(this.settling);
    if (!this.measured?.kept) this.settling = setTimeout(() => this.draw(), SETTLES / 4);
    const room = innerHeight - top - leaves * textScale();
    this.sight = top < innerHeight ? Math.max(LOWEST, Math.floor(room)) : undefined;
    return this.sight;
  }

  // Drawing

  repaint() {
    this.painted = null;
    this.draw();
  }
  colours() {
    const grey = this.h.kind === "particles" || this.controls.grey;
    return colourTable(grey ? PALETTE.grey : diverging(this.dark));
  }
  /**
   * Every tile at its own pixels, once for a payload, a width and a way to show it.
   * @param {number} width
   */
  paint(width) {
    const { kind, shape, range } = this.h;
    const filters = kind === "filters";
    this.grid = this.h.table
      ? stripGrid(this.n, shape[1], width, this.nameBand(this.h.table), this.sight)
      : (filters ? filterGrid : squareGrid)(this.n, shape, width, pixelRatio(), this.sight);
    this.shades = filters ? signedTable(this.colours(), range, this.range) : this.colours();
    const order = this.h.order ?? Array.from({ length: this.n }, (_, k) => k);
    const { pixels, width: w, height: h } = sheet(this.source(), order, shape, this.grid, this.shades);
    putPixels(this.off, pixels, w, h);
  }
  /** @param {import("../lib/table.js").Table} table */
  nameBand(table) {
    return nameBand(context(this.canvas), table, `11px ${this.ink.font}`);
  }
  source() {
    return this.controls.binary && this.a.bits ? this.a.bits : this.a.tiles;
  }
  draw() {
    const width = Math.floor(this.root.clientWidth);
    if (!this.h || !width) return;
    const key = `${width} ${this.sightIn(width)} ${this.dark} ${pixelRatio()}`;
    this.root.classList.toggle("narrow", width < NARROW * textScale());
    if (this.painted !== key) {
      this.paint(width);
      this.painted = key;
    }
    this.drawTiles(width);
    // In a small window the step, which the time slider says too, would take a line of its own.
    const { title } = (width < TIGHT * textScale() && this.sent?.h) || this.h;
    this.title.textContent = title;
    this.note.textContent = [this.h.note, this.h.hint].filter(Boolean).join(" ");
    this.canvas.setAttribute("aria-label", `${this.h.title}: ${this.n} tiles. ${this.h.note}`);
    this.drawScale();
    this.card.draw();
  }
  /** @param {number} width */
  drawTiles(width) {
    const [th, tw] = this.h.shape;
    const { columns, rows, size, high, gap, top } = this.grid;
    const { table } = this.h;
    const ctx = sharpen(this.canvas, width, top + Math.ceil(rows * (high + GAP)));
    const grain = (size * pixelRatio()) / tw;
    ctx.imageSmoothingEnabled = !table && grain < 4 && !Number.isInteger(Math.round(grain * 1000) / 1000);
    ctx.imageSmoothingQuality = "high";
    const [dx, dy] = [size + gap, high + GAP];
    this.step = [dx, dy];
    for (let c = 0; table && c < columns; c++)
      drawNames(ctx, table, { x: 1 + c * dx, y: top, cell: size / tw, ink: this.ink });
    ctx.fillStyle = this.ink.line;
    for (let place = 0; place < this.n; place++) {
      const c = place % columns;
      const r = Math.floor(place / columns);
      const y = top + r * dy;
      if (this.isEmpty(place)) {
        ctx.strokeStyle = this.ink.line;
        ctx.lineWidth = 1;
        ctx.strokeRect(c * dx + 0.5, y + 0.5, size + 1, high + 1);
        continue;
      }
      ctx.fillRect(c * dx, y, size + 2, high + 2);
      ctx.drawImage(this.off, c * (tw + 1), r * (th + 1), tw, th, 1 + c * dx, 1 + y, size, high);
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
      ctx.strokeRect((place % columns) * dx + 0.5, top + r * dy + 0.5, size + 1, high + 1);
    };
    frame(this.over, this.ink.text, 1.5);
    frame(this.chosenPlace(), this.ink.accent, 2.5);
  }
  drawScale() {
    const { kind, low = 0, high = 1, unit, table } = this.h;
    const signed = kind === "filters";
    /** @type {[string, string, string]} */
    const words = signed
      ? [pretty(-this.range, 2), "0", `+${pretty(this.range, 2)}`]
      : table && !isUnit(table)
        ? ["column's lowest", "", "highest"]
        : [pretty(low, 2), unit, pretty(high, 2)];
    drawScale(this.scaleBar, this.colours(), words, this.ink);
    const label = signed ? `Scale from ${-this.range} to ${this.range}` : "Scale from 0 to 1";
    this.scaleBar.setAttribute("aria-label", label);
  }

  // What a tile is, and choosing one

  /** @param {number} tile */
  numberOf(tile) {
    return this.a.units ? this.a.units[tile] : tile;
  }
  /** @param {number} place whether an ordered unit that is not yet in use stands there */
  isEmpty(place) {
    const { kind, in_use = Number.POSITIVE_INFINITY } = this.h;
    return kind === "filters" && this.numberOf(this.tileAt(place)) >= in_use;
  }
  /** @param {number} tile */
  nameOf(tile) {
    const { noun, in_use = Number.POSITIVE_INFINITY } = this.h;
    const number = this.numberOf(tile);
    return `${noun} ${number}${number >= in_use ? ", not yet in use" : ""}`;
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
    const { signal } = this.stop;
    window.addEventListener("resize", () => this.draw(), { signal });
    window.addEventListener("rbm-frame", (/** @type {any} */ event) => this.showFrame(event.detail), {
      signal,
    });
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
    const place = Math.floor((y - this.grid.top) / this.step[1]) * columns + c;
    return c >= 0 && c < columns && y >= this.grid.top && place < this.n ? place : null;
  }
  /**
   * `alcohol 13.2`: of a tile that is a row of a table, what stands at a column.
   * @param {number} tile
   * @param {number} column
   */
  cellWords(tile, column) {
    const { table, kind, shape, range } = this.h;
    if (!table) return "";
    const byte = this.source()[tile * shape[1] + column];
    const value = kind === "filters" ? (byte / 127) * range : columnValue(table, column, byte / 255);
    return `${table.columns[column]} ${pretty(value, 4)}`;
  }
  /** @param {MouseEvent} event @param {number} place */
  cellUnder(event, place) {
    const { columns, size, gap } = this.grid;
    const x = spotOf(event, this.canvas)[0] - 1 - (place % columns) * (size + gap);
    return Math.min(this.h.shape[1] - 1, Math.max(0, Math.floor((x / size) * this.h.shape[1])));
  }
  /** @param {MouseEvent} event */
  hover(event) {
    if (!this.h || !this.step) return;
    this.over = this.placeAt(event);
    this.tip.hidden = this.over === null;
    if (this.over !== null) {
      const tile = this.tileAt(this.over);
      const cell = this.h.table ? [this.cellWords(tile, this.cellUnder(event, this.over))] : [];
      this.tip.textContent = [this.nameOf(tile), ...cell, ...this.facts(tile)].join("\n");
      // Beside the tile, never on it; a strip is nearly as wide as the page.
      const { columns, size, high, top } = this.grid;
      const below = this.h.table ? high + 8 : 0;
      const wide = this.canvas.clientWidth;
      const x = below ? spotOf(event, this.canvas)[0] : (this.over % columns) * this.step[0];
      this.tip.style.left = x > wide / 2 ? "" : `${x + (below ? 0 : size) + 8}px`;
      this.tip.style.right = x > wide / 2 ? `${wide - x + 8}px` : "";
      this.tip.style.top = `${top + Math.floor(this.over / columns) * this.step[1] + below}px`;
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

/**
 * Whether the table's values lie between 0 and 1 by nature.
 * @param {import("../lib/table.js").Table} table
 */
const isUnit = ({ low, high }) => low.every((x) => x === 0) && high.every((x) => x === 1);

/** @param {import("../lib/view.js").Mounted} component */
export default (component) => show(component, Mosaic);
