// The singular values of W over training, a line a mode, and data and fantasies as points on two chosen modes.

import { context, dot, segment, sharpen, spotOf } from "../lib/canvas.js";
import { colourTable, cssOf } from "../lib/colour.js";
import { el } from "../lib/dom.js";
import { clamp, extent, pretty, ticks } from "../lib/numbers.js";
import { saveButtons } from "../lib/save.js";
import { drawNames, inWords, nameBand } from "../lib/table.js";
import { diverging } from "../lib/theme.js";
import { onResize, show, View } from "../lib/view.js";
import { keepSigns } from "./signs.js";

const HEIGHT = 250;
const LEFT = 44;
const BOTTOM = 26;
const TILE = 112;
const NEAR = 10; // css pixels: as far from its dot a click still means a fantasy, and from its line a mode
const STRIP = 22; // css pixels of height of a table's row

/**
 * @typedef {object} Header
 * @property {string} version
 * @property {boolean} [same]
 * @property {number} at the update shown
 * @property {[number, number]} chosen two modes, counted from 1
 * @property {number} k how many modes there are
 * @property {[number, number]} shape rows and columns of an image
 * @property {number} opens how many fantasies, counted from the first, open their chain in Gibbs when clicked
 * @property {import("../lib/save.js").Source} of
 * @property {import("../lib/table.js").Table} [table] images are rows of a table
 */
/**
 * The arrays of dashboard/figures/spectrum.py.
 * @typedef {object} Arrays
 * @property {Int32Array} steps
 * @property {Float32Array & { shape: number[] }} values
 * @property {Float32Array} data
 * @property {Float32Array} fantasies
 * @property {Float32Array} images
 */

/** Lines, cloud and the two modes as images. */
class Spectrum extends View {
  /** @type {Header} */
  h;
  /** @type {Arrays} */
  a;
  /** What the figure shows. */
  words = "";
  modesOffered = 0;
  /** @type {[number, number][]} where on the cloud, in css pixels, the fantasies stand that can be opened */
  spots = [];
  /** @type {{ x: number, ys: number[] }[]} where the lines stand, in css pixels, at each moment */
  knots = [];

  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    this.lines = el("canvas", { role: "img" });
    this.cloud = el("canvas", { role: "img" });
    this.images = [0, 1].map(() => el("canvas", { role: "img" }));
    this.pickers = ["across", "up"].map((way) => {
      const pick = el("select", { "aria-label": `Mode that is drawn ${way}` });
      pick.onchange = () =>
        this.say(
          "modes",
          this.pickers.map((one) => Number(one.value)),
        );
      return pick;
    });
    this.note = el("div", { class: "note" });
    this.key = el("span", { class: "note" });
    const title = (/** @type {string} */ words) => el("span", { class: "title" }, words);
    this.box = el("div", { class: "spectrum" });
    this.box.append(
      el(
        "div",
        { class: "lines" },
        el("div", { class: "row" }, title("Spectrum"), saveButtons(this)),
        this.lines,
      ),
      el(
        "div",
        { class: "cloud" },
        el("div", { class: "row" }, title("On modes"), ...this.pickers, this.key),
        this.cloud,
      ),
      el("div", { class: "images" }, title("Those two modes"), el("div", { class: "row" }, ...this.images)),
    );
    root.append(this.box, this.note);
    this.observer = onResize(this, root);
    this.cloud.addEventListener("pointermove", (event) => {
      this.cloud.style.cursor = this.fantasyAt(event) === null ? "" : "pointer";
    });
    this.lines.addEventListener("pointermove", (event) => {
      this.lines.style.cursor = this.modeAt(event) === null ? "" : "pointer";
    });
    this.lines.addEventListener("click", (event) => {
      const mode = this.modeAt(event);
      if (mode !== null && mode !== this.h.chosen[0]) this.say("modes", [mode, this.h.chosen[0]]);
    });
    this.cloud.addEventListener("click", (event) => {
      const chain = this.fantasyAt(event);
      if (chain !== null) this.ask("open", chain);
    });
  }
  close() {
    this.observer.disconnect();
  }
  /** @param {{ header: Header, arrays: Arrays }} blob */
  receive({ header, arrays }) {
    if (this.stale(header) || header.same) return;
    const again = this.h?.of.run === header.of.run && String(this.h.chosen) === String(header.chosen);
    if (again) keepSigns(this.a.images, arrays);
    this.h = header;
    this.a = arrays;
    if (this.modesOffered !== header.k) {
      this.modesOffered = header.k;
      const options = () =>
        Array.from({ length: header.k }, (_, m) => el("option", { value: m + 1 }, String(m + 1)));
      for (const pick of this.pickers) pick.replaceChildren(...options());
    }
    for (const [i, pick] of this.pickers.entries()) pick.value = String(header.chosen[i]);
  }
  draw() {
    if (!this.h || !this.root.clientWidth) return;
    const { chosen, at } = this.h;
    this.drawLines();
    this.drawCloud();
    for (const [i, canvas] of this.images.entries()) this.drawImage(canvas, i);
    const values = this.row(this.a.steps.indexOf(at));
    const dot = (/** @type {string} */ colour) => el("i", { style: `background:${colour}` });
    this.key.replaceChildren(dot(this.ink.lines.orange), "data", dot(this.ink.lines.blue), "fantasies");
    const said = chosen.map((m) => `σ${sub(m)} = ${pretty(values[m - 1], 3)}`).join(", ");
    this.words = `Left: the ${this.h.k} largest singular values of W at every saved moment, over the step, both on log scales; the two chosen ones are strong. At step ${pretty(at)}: ${said}.`;
    this.note.textContent = `${this.words} Click a line: its mode is drawn across, and the one that was, up. Click a fantasy's dot: its chain goes on in Gibbs.`;
    Object.assign(this.box.dataset, { at, modes: chosen.join(), moments: this.a.steps.length });
  }
  /** @param {number} r */
  row(r) {
    const n = this.a.values.shape[1];
    return this.a.values.subarray(r * n, (r + 1) * n);
  }
  /**
   * @param {HTMLCanvasElement} canvas
   */
  sheet(canvas) {
    const width = Math.floor(/** @type {Element} */ (canvas.parentElement).clientWidth);
    const ctx = sharpen(canvas, width, HEIGHT);
    ctx.font = `11px ${this.ink.font}`;
    return { ctx, width };
  }
  drawLines() {
    const { a, h, ink } = this;
    const { ctx, width } = this.sheet(this.lines);
    const [low, high] = extent(a.values);
    const floor = Math.max(low, high / 1e4, 1e-6);
    const last = Math.log1p(Math.max(1, ...a.steps));
    const x = (/** @type {number} */ step) => LEFT + (Math.log1p(step) / last) * (width - LEFT - 10);
    const span = Math.log(Math.max(high, floor * 1.1) / floor);
    const y = (/** @type {number} */ s) =>
      8 + (1 - Math.log(Math.max(s, floor) / floor) / span) * (HEIGHT - BOTTOM - 14);
    const write = (
      /** @type {string} */ words,
      /** @type {number} */ at,
      /** @type {number} */ up,
      align = "right",
    ) => {
      ctx.fillStyle = ink.text;
      ctx.globalAlpha = 0.75;
      ctx.textAlign = /** @type {CanvasTextAlign} */ (align);
      ctx.fillText(words, at, up);
      ctx.globalAlpha = 1;
    };
    ctx.strokeStyle = ink.line;
    for (let power = -6; power < 6; power++) {
      for (const s of [1, 2, 5].map((m) => m * 10 ** power)) {
        if (s < floor || s > high) continue;
        segment(ctx, LEFT, y(s), width - 10, y(s));
        write(pretty(s, 2), LEFT - 6, y(s) + 4);
      }
    }
    for (let power = 0; 10 ** power <= Math.max(...a.steps); power++) {
      const words = pretty(10 ** power);
      const half = ctx.measureText(words).width / 2;
      write(words, Math.min(x(10 ** power), width - half - 2), HEIGHT - 10, "center");
    }
    write("σ", 12, 16, "left");
    const colours = [ink.lines.vermillion, ink.lines.green];
    for (let m = a.values.shape[1] - 1; m >= 0; m--) {
      const place = h.chosen.indexOf(m + 1);
      ctx.strokeStyle = ctx.fillStyle = place < 0 ? ink.lines.grey : colours[place];
      ctx.lineWidth = place < 0 ? 1.25 : 2.75;
      ctx.beginPath();
      for (const [r, step] of a.steps.entries()) ctx.lineTo(x(step), y(this.row(r)[m]));
      ctx.stroke();
      dot(ctx, x(h.at), y(this.row(a.steps.indexOf(h.at))[m]), place < 0 ? 2.5 : 4.5);
    }
    this.knots = Array.from(a.steps, (step, r) => ({ x: x(step), ys: Array.from(this.row(r), y) }));
    ctx.lineWidth = 1.5;
    ctx.strokeStyle = ink.text;
    segment(ctx, x(h.at), 4, x(h.at), HEIGHT - BOTTOM + 2);
    ctx.lineWidth = 1;
    this.lines.setAttribute(
      "aria-label",
      `${h.k} singular values of W at ${a.steps.length} moments of training`,
    );
  }
  drawCloud() {
    const { a, h, ink } = this;
    const { ctx, width } = this.sheet(this.cloud);
    const axis = (/** @type {number} */ k) => {
      const [low, high] = extent([...a.data, ...a.fantasies].filter((_, i) => i % 2 === k));
      const pad = Math.max(0.02, (high - low) * 0.06);
      return low <= high ? [low - pad, high + pad] : [-1, 1];
    };
    const [[x0, x1], [y0, y1]] = [axis(0), axis(1)];
    const x = (/** @type {number} */ m) => LEFT + ((m - x0) / (x1 - x0)) * (width - LEFT - 8);
    const y = (/** @type {number} */ m) => 6 + ((y1 - m) / (y1 - y0)) * (HEIGHT - BOTTOM - 12);
    ctx.strokeStyle = ink.line;
    ctx.fillStyle = ink.text;
    ctx.globalAlpha = 0.75;
    for (const m of ticks(y0, y1, 4)) {
      segment(ctx, LEFT, y(m), width - 8, y(m));
      ctx.textAlign = "right";
      ctx.fillText(pretty(m, 2), LEFT - 6, y(m) + 4);
    }
    for (const m of ticks(x0, x1, 4)) {
      segment(ctx, x(m), 6, x(m), HEIGHT - BOTTOM);
      ctx.textAlign = "center";
      ctx.fillText(pretty(m, 2), x(m), HEIGHT - 10);
    }
    for (const [points, colour] of /** @type {[Float32Array, string][]} */ ([
      [a.data, ink.lines.orange],
      [a.fantasies, ink.lines.blue],
    ])) {
      ctx.fillStyle = colour;
      ctx.globalAlpha = 0.7;
      for (let i = 0; i < points.length; i += 2) dot(ctx, x(points[i]), y(points[i + 1]), 3);
    }
    ctx.globalAlpha = 1;
    ctx.font = `600 11px ${ink.font}`;
    ctx.fillStyle = ink.lines.vermillion;
    ctx.textAlign = "right";
    ctx.fillText(`mode ${h.chosen[0]} →`, width - 12, HEIGHT - BOTTOM - 6);
    ctx.fillStyle = ink.lines.green;
    ctx.textAlign = "left";
    ctx.fillText(`↑ mode ${h.chosen[1]}`, LEFT + 4, 16);
    this.spots = Array.from({ length: Math.min(h.opens, a.fantasies.length / 2) }, (_, i) => [
      x(a.fantasies[2 * i]),
      y(a.fantasies[2 * i + 1]),
    ]);
    const label = `${a.data.length / 2} images and ${a.fantasies.length / 2} fantasies on modes ${h.chosen.join(" and ")}`;
    this.cloud.setAttribute("aria-label", label);
  }
  /**
   * The mode, counted from 1, whose line runs nearest, if that is near.
   * @param {MouseEvent} event
   */
  modeAt(event) {
    const [x, y] = spotOf(event, this.lines);
    const right = this.knots.findIndex((knot) => knot.x >= x);
    if (right < 0) return null;
    const [a, b] = [this.knots[Math.max(0, right - 1)], this.knots[right]];
    const share = b.x > a.x ? (x - a.x) / (b.x - a.x) : 1;
    const far = a.ys.map((_, m) => {
      const off = Math.abs(a.ys[m] + share * (b.ys[m] - a.ys[m]) - y);
      return Number.isNaN(off) ? NEAR : off; // a moment with fewer modes
    });
    const least = Math.min(NEAR, ...far);
    return least < NEAR ? far.indexOf(least) + 1 : null;
  }
  /**
   * The fantasy whose dot is nearest, if that is near.
   * @param {MouseEvent} event
   */
  fantasyAt(event) {
    const [x, y] = spotOf(event, this.cloud);
    const far = this.spots.map(([across, down]) => Math.hypot(across - x, down - y));
    const least = Math.min(NEAR, ...far);
    return least < NEAR ? far.indexOf(least) : null;
  }
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number} i
   */
  drawImage(canvas, i) {
    const [rows, columns] = this.h.shape;
    const n = rows * columns;
    const image = this.a.images.subarray(i * n, (i + 1) * n);
    const { table: named } = this.h;
    const cell = Math.max(1, Math.floor(TILE / Math.max(rows, columns)));
    const tall = named ? STRIP : cell;
    const top = named ? nameBand(context(canvas), named, `11px ${this.ink.font}`) : 0;
    const ctx = sharpen(canvas, columns * cell, top + rows * tall);
    if (named) drawNames(ctx, named, { x: 0, y: top, cell, ink: this.ink });
    const most = image.reduce((x, u) => Math.max(x, Math.abs(u)), 1e-9);
    const table = colourTable(diverging(this.dark));
    for (const [p, u] of image.entries()) {
      ctx.fillStyle = cssOf(table[Math.round(127.5 + 127.5 * clamp(u / most, -1, 1))]);
      ctx.fillRect((p % columns) * cell, top + Math.floor(p / columns) * tall, cell, tall);
    }
    ctx.strokeStyle = [this.ink.lines.vermillion, this.ink.lines.green][i];
    ctx.lineWidth = 2;
    ctx.strokeRect(1, top + 1, columns * cell - 2, rows * tall - 2);
    canvas.setAttribute("aria-label", inWords(`Mode ${this.h.chosen[i]} of the pixels, as an image`, named));
  }

  picture() {
    if (!this.h) return null;
    const { ink, h } = this;
    return {
      title: "Spectrum of the weights",
      name: `spectrum-modes-${h.chosen.join("-")}`,
      of: h.of,
      rows: [[{ canvas: this.lines }, { canvas: this.cloud }], this.images.map((canvas) => ({ canvas }))],
      legend: /** @type {[string, string][]} */ ([
        [ink.lines.orange, "data"],
        [ink.lines.blue, "fantasies"],
        [ink.lines.vermillion, `mode ${h.chosen[0]}`],
        [ink.lines.green, `mode ${h.chosen[1]}`],
      ]),
      note: this.words,
    };
  }
  table() {
    const columns = ["step", ...Array.from({ length: this.a.values.shape[1] }, (_, m) => `sigma_${m + 1}`)];
    return { columns, rows: Array.from(this.a.steps, (step, r) => [step, ...this.row(r)]) };
  }
}

/** @param {number} n with subscript digits */
const sub = (n) => String(n).replace(/\d/g, (d) => String.fromCharCode(0x2080 + Number(d)));

/** @param {import("../lib/view.js").Mounted} component */
export default (component) => show(component, Spectrum);
