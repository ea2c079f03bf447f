// How likely each picture is, in the data and under the model; beside it, the model's parameters.

import { segment } from "../lib/canvas.js";
import { find, findCanvas } from "../lib/dom.js";
import { clamp, fixed, pretty, ticks } from "../lib/numbers.js";
import { probabilityTable } from "./tables.js";

const LEFT = 40;
const SMALL = 4; // pixels up to which the model is drawn as a graph
const WEIGHT = { wide: 42, high: 18 }; // units that a weight takes
const ALONG = [0.42, 0.31, 0.55, 0.66]; // where on its line a weight may be written, the best place first

/** The view "Distribution". */
export class Distribution {
  /** @param {import("./learn.js").Learn} view */
  constructor(view) {
    this.view = view;
    const panel = view.panels.distribution;
    this.model = find(panel, ".machine");
    this.modelCanvas = findCanvas(this.model);
    this.bars = find(panel, ".bars");
    this.canvas = findCanvas(this.bars);
    /** @type {number[]} of the data's pictures, under the model */
    this.probabilities = [];
    /** Where the bars lie: their left end, units a picture, and the top of the bars. */
    this.slots = { slot: 0, top: 0 };
    this.canvas.onpointermove = (e) => this.hover(e);
    this.canvas.onpointerleave = () => view.hush();
  }
  paint() {
    const { h, a, box, at } = this.view;
    const rbm = this.view.rbm();
    const n = a.patterns.length;
    this.probabilities = Array.from(a.patterns, (v) => Math.exp(-rbm.freeEnergy(v) - a.log_z[at]));
    const mass = this.probabilities.reduce((x, y) => x + y, 0);
    box.dataset.mass = mass.toFixed(6);
    const share = `${(100 * mass).toFixed(1)} %`;
    this.paintBars(share, mass);
    find(this.bars, ".note").textContent =
      1 << h.n_visible > n
        ? `Each of the ${h.n_cases} cases is equally likely in the data; all-off and all-on are counted twice, as bars and as stripes.`
        : "Two pixels can be off or on, so there are four pictures. In the data the pixels agree in ten cases of twelve.";
    const label = `Probability of ${n} pictures in the data and in the machine; ${share} of the machine's lies on them.`;
    this.canvas.setAttribute("aria-label", label);
    if (h.n_visible <= SMALL) this.paintGraph(rbm);
    else this.paintFilters(rbm);
  }
  /**
   * Two bars a picture: in the data and under the model.
   * @param {string} share of the model's probability that is on the data's pictures
   * @param {number} mass the same as a number
   */
  paintBars(share, mass) {
    const { view } = this;
    const { h, a, pen } = view;
    const n = a.patterns.length;
    const others = (1 << h.n_visible) - n;
    const width = pen.wide(this.bars);
    const slot = Math.min(190, (width - LEFT) / n);
    const [rows, columns] = h.shape;
    const largest = n <= 4 ? 26 : n <= 16 ? 10 : 6;
    const cell = Math.max(2, Math.floor(Math.min((slot - 4) / columns, largest)));
    const foot = rows * cell + 12;
    const top = others ? 40 : 0; // for the gauge
    const high = clamp(view.room - foot - (others ? 146 : 106), 130, 560);
    const ctx = pen.sheet(this.canvas, width, top + high + foot + 6);
    if (others) this.paintGauge(ctx, width, share, mass, others);
    const most = 1.35 * Math.max(...a.p_data);
    const base = top + high;
    const y = (/** @type {number} */ p) => base - clamp(p / most, 0, 1) * (high - 10);
    ctx.strokeStyle = pen.ink.line;
    for (const p of ticks(0, most, 4)) {
      segment(ctx, LEFT, y(p) + 0.5, width, y(p) + 0.5);
      const words = `${Number((100 * p).toPrecision(3))} %`;
      pen.text(ctx, words, LEFT - 6, y(p) + 4, { align: "right", size: 11 });
    }
    this.slots = { slot, top };
    const w = Math.min(48, slot * 0.38);
    for (let k = 0; k < n; k++) {
      const x = LEFT + (k + 0.5) * slot;
      const [data, model] = [a.p_data[k], this.probabilities[k]];
      ctx.fillStyle = pen.colour.data;
      ctx.fillRect(x - w - 0.5, y(data), w, base - y(data));
      ctx.fillStyle = pen.colour.model;
      ctx.fillRect(x + 0.5, y(model), w, base - y(model));
      if (n <= 4) {
        const look = { align: /** @type {const} */ ("center"), size: 11, alpha: 0.9 };
        const apart = Math.abs(y(model) - y(data)) < 12 ? 12 : 0;
        pen.text(ctx, `${(100 * data).toFixed(1)} %`, x - w / 2 - 3, y(data) - 5, look);
        pen.text(ctx, `${(100 * model).toFixed(1)} %`, x + w / 2 + 3, y(model) - 5 - apart, look);
      }
      pen.picture(ctx, a.patterns[k], Math.round(x - (columns * cell) / 2), base + 8, cell);
    }
  }
  /**
   * How much of the model's probability is on the data's pictures.
   * @param {CanvasRenderingContext2D} ctx
   * @param {number} width
   * @param {string} share
   * @param {number} mass
   * @param {number} others pictures that are not in the data
   */
  paintGauge(ctx, width, share, mass, others) {
    const { pen, a } = this.view;
    const n = a.patterns.length;
    const w = width - LEFT - 2;
    ctx.fillStyle = pen.colour.model;
    ctx.fillRect(LEFT, 2, Math.round(w * mass), 12);
    ctx.strokeStyle = pen.ink.line;
    ctx.strokeRect(LEFT + 0.5, 2.5, w - 1, 11);
    const here = `${share} of the machine's probability is on these ${n} pictures`;
    const all = `${here}, the rest on ${others.toLocaleString("en-US")} others`;
    const short = `${share} of the machine is on these ${n} pictures`;
    pen.text(ctx, pen.fitting(ctx, width - LEFT, all, here, short), LEFT, 29, { alpha: 0.9 });
  }
  /**
   * Pixels below, hidden units above, a line a weight.
   * @param {import("./tiny.js").TinyRBM} rbm
   */
  paintGraph(rbm) {
    const { view } = this;
    const { pen } = view;
    const { V, H, W } = rbm;
    const width = pen.wide(this.model);
    const height = clamp(view.room - 92, 200, 420);
    const ctx = pen.sheet(this.modelCanvas, width, height);
    find(this.model, ".title").textContent = "The machine";
    find(this.model, ".note").textContent =
      "Squares: pixels; circles: hidden units; each has a bias. A red line wants both ends on together, a blue one does not.";
    const scale = Math.max(2, ...Array.from(W, Math.abs));
    const place = (/** @type {number} */ k, /** @type {number} */ n) => (width * (k + 0.5)) / n;
    const up = 52;
    const down = height - 58;
    const strong = { align: /** @type {const} */ ("center"), alpha: 1, size: 12, weight: 600 };
    for (let i = 0; i < V; i++) {
      for (let j = 0; j < H; j++) {
        const w = W[i * H + j];
        const [x0, x1] = [place(i, V), place(j, H)];
        ctx.strokeStyle = pen.mix(pen.stops, w > 0 ? 0.8 : 0.2);
        ctx.globalAlpha = 0.25 + 0.75 * Math.min(1, Math.abs(w) / 2);
        ctx.lineWidth = 1 + 9 * Math.min(1, Math.abs(w) / scale) * Math.min(1, scale / 6);
        segment(ctx, x0, down, x1, up);
      }
    }
    ctx.globalAlpha = 1;
    const at = (/** @type {number} */ i, /** @type {number} */ j, /** @type {number} */ along) => ({
      x: place(i, V) + (place(j, H) - place(i, V)) * along,
      y: down + (up - down) * along,
    });
    /** @type {{ x: number, y: number }[]} */
    const written = [];
    for (const [k, w] of W.entries()) {
      const clear = ({ x = 0, y = 0 }) =>
        written.every((other) => Math.abs(other.x - x) > WEIGHT.wide || Math.abs(other.y - y) > WEIGHT.high);
      const spot = ALONG.map((along) => at(Math.floor(k / H), k % H, along)).find(clear);
      if (!spot) continue; // a crowd of lines in a narrow window: their colours say most
      written.push(spot);
      ctx.fillStyle = pen.ink.paper;
      ctx.fillRect(spot.x - WEIGHT.wide / 2, spot.y - 10, WEIGHT.wide, WEIGHT.high);
      pen.text(ctx, fixed(w, 2), spot.x, spot.y + 4, strong);
    }
    ctx.lineWidth = 2;
    const node = (
      /** @type {number} */ x,
      /** @type {number} */ y,
      /** @type {string} */ name,
      /** @type {number} */ bias,
    ) => {
      const hidden = y === up;
      ctx.fillStyle = pen.ink.panel;
      ctx.strokeStyle = pen.ink.text;
      ctx.beginPath();
      if (hidden) ctx.arc(x, y, 19, 0, 7);
      else ctx.rect(x - 18, y - 18, 36, 36);
      ctx.fill();
      ctx.stroke();
      pen.text(ctx, name, x, y + 4, strong);
      const words = pen.fitting(ctx, width / (hidden ? H : V) - 4, `bias ${fixed(bias, 2)}`, fixed(bias, 2));
      pen.text(ctx, words, x, hidden ? y - 28 : y + 35, { align: "center", alpha: 0.9 });
    };
    for (let j = 0; j < H; j++) node(place(j, H), up, H > 1 ? `h${j + 1}` : "h", rbm.c[j]);
    for (let i = 0; i < V; i++) node(place(i, V), down, `v${i + 1}`, rbm.b[i]);
    ctx.lineWidth = 1;
    const weights = Array.from(W, (w) => w.toFixed(2)).join(", ");
    this.modelCanvas.setAttribute("aria-label", `Weights ${weights}`);
  }
  /**
   * A tile a hidden unit, its bias below it.
   * @param {import("./tiny.js").TinyRBM} rbm
   */
  paintFilters(rbm) {
    const { view } = this;
    const { pen } = view;
    const { V, H, W } = rbm;
    const [rows, columns] = view.h.shape;
    const width = pen.wide(this.model);
    const across = H <= 4 ? 2 : H <= 9 ? 3 : 4;
    const down = Math.ceil(H / across);
    const gap = 14;
    const fitWidth = (width - gap * (across - 1)) / across / columns;
    const fitHeight = (clamp(view.room - 120, 180, 460) - down * 22) / down / rows;
    const cell = Math.max(4, Math.floor(Math.min(fitWidth, fitHeight, 36)));
    const tall = rows * cell + 22;
    const ctx = pen.sheet(this.modelCanvas, width, down * tall + 26);
    const scale = Math.max(1, ...Array.from(W, Math.abs));
    find(this.model, ".title").textContent = "The weights";
    find(this.model, ".note").textContent =
      "One tile per hidden unit: red pixels it asks to be on, blue ones off. Below each, its bias c.";
    ctx.strokeStyle = pen.ink.line;
    for (let j = 0; j < H; j++) {
      const x = (j % across) * (columns * cell + gap);
      const y = Math.floor(j / across) * tall;
      for (let i = 0; i < V; i++) {
        ctx.fillStyle = pen.mix(pen.stops, 0.5 + W[i * H + j] / scale / 2);
        ctx.fillRect(x + (i % columns) * cell, y + Math.floor(i / columns) * cell, cell, cell);
      }
      ctx.strokeRect(x + 0.5, y + 0.5, columns * cell - 1, rows * cell - 1);
      const middle = x + (columns * cell) / 2;
      pen.text(ctx, fixed(rbm.c[j], 1), middle, y + rows * cell + 13, { align: "center", size: 11 });
    }
    const [low, high] = [`−${pretty(scale, 2)}`, `+${pretty(scale, 2)}`];
    pen.ramp(ctx, down * tall + 4, Math.min(150, width - 80), pen.stops, low, high);
    const label = `${H} hidden units' weights, on one scale from ${low} to ${pretty(scale, 2)}`;
    this.modelCanvas.setAttribute("aria-label", label);
  }
  /** @param {PointerEvent} e */
  hover(e) {
    const { a, pen } = this.view;
    const [x, y] = pen.spotOf(e, this.canvas);
    const k = Math.floor((x - LEFT) / this.slots.slot);
    if (!(k >= 0 && k < a.patterns.length) || y < this.slots.top) {
      this.view.hush();
      return;
    }
    const [data, model] = [a.p_data[k], this.probabilities[k]].map((p) => `${(100 * p).toFixed(2)} %`);
    this.view.tell(e, a.patterns[k], `in the data ${data}\nin the machine ${model}`);
  }
  picture() {
    const { pen } = this.view;
    /** @type {[string, string][]} */
    const legend = [
      [pen.colour.data, "in the data"],
      [pen.colour.model, "in the machine"],
    ];
    const model = { canvas: this.modelCanvas, name: find(this.model, ".title").textContent };
    const note = find(this.bars, ".note").textContent;
    return { title: "How likely is each picture?", note, rows: [[model, { canvas: this.canvas }]], legend };
  }
  table() {
    return probabilityTable(this.view);
  }
}
