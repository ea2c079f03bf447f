// The way of learning: the distance to the data, update by update, under every method tried so far; and where it is now.

import { dot, segment } from "../lib/canvas.js";
import { el, find, findCanvas } from "../lib/dom.js";
import { clamp, fixed, ticks } from "../lib/numbers.js";

const LEFT = 44;
const RIGHT = 8;
const BOTTOM = 18;

/**
 * The number of updates beneath a chart.
 * @param {import("../lib/pen.js").Pen} pen
 * @param {CanvasRenderingContext2D} ctx
 * @param {number} total
 * @param {(t: number) => number} x
 * @param {number} y
 * @param {number} width
 */
export function writeUpdates(pen, ctx, total, x, y, width) {
  for (const t of ticks(0, total, width / 130)) {
    const align = t === 0 ? "left" : t === total ? "right" : "center";
    pen.text(ctx, t ? t.toLocaleString("en-US") : "0 updates", x(t), y, { align, size: 11 });
  }
}

/** The chart of the distance, which is also the slider. */
export class Transport {
  /** @param {import("./learn.js").Learn} view */
  constructor(view) {
    this.view = view;
    this.box = find(view.box, ".time");
    this.canvas = findCanvas(this.box);
    this.title = find(this.box, ".note");
    this.keys = find(this.box, ".methods");
    this.where = find(view.box, ".where");
    this.numbers = find(view.box, ".numbers .numbers");
    /** @type {Record<string, Float64Array>} by method: KL(data ‖ model) in nats after each update */
    this.curves = {};
    this.curvesOf = "";
    this.keyed = "";
    let dragging = false;
    const { canvas } = this;
    canvas.onpointerdown = (e) => {
      canvas.setPointerCapture(e.pointerId);
      dragging = true;
      this.scrub(e);
    };
    canvas.onpointermove = (e) => {
      if (dragging) this.scrub(e);
    };
    canvas.onpointerup = canvas.onpointercancel = () => {
      dragging = false;
    };
  }
  /** @param {PointerEvent} e */
  scrub(e) {
    const { pen, h } = this.view;
    const room = pen.wide(this.canvas) - LEFT - RIGHT;
    this.view.go(Math.round(((pen.spotOf(e, this.canvas)[0] - LEFT) / room) * h.n_updates));
  }
  /** Keeps the curve of a training beside those of the same settings under other methods. */
  remember() {
    const { h, a } = this.view;
    const of = [h.machine, h.n_hidden, h.rate, h.seed].join();
    if (this.curvesOf !== of) this.curves = {};
    this.curvesOf = of;
    this.curves[h.method] = Float64Array.from(a.log_likelihood, (x) => h.best - x);
  }
  /** The methods whose curve is known, in the order of their names. */
  get methods() {
    return Object.keys(this.view.h.method_names).filter((m) => this.curves[m]);
  }

  paint() {
    const { h, at, a } = this.view;
    const kl = h.best - a.log_likelihood[at];
    const [now, total] = [at, h.n_updates].map((n) => n.toLocaleString("en-US"));
    this.where.textContent = `update ${now} of ${total}`;
    this.title.textContent = h.plain ? "distance from machine to data; best: 0" : "KL(data ‖ machine), nats";
    this.numbers.replaceChildren(...this.numberWords(kl));
    this.paintKeys();
    this.paintCurves();
    this.canvas.setAttribute("aria-valuemax", String(h.n_updates));
    this.canvas.setAttribute("aria-valuenow", String(at));
    this.canvas.setAttribute("aria-valuetext", `update ${at} of ${h.n_updates}, KL ${kl.toFixed(3)} nats`);
  }
  /** @param {number} kl */
  numberWords(kl) {
    const { h } = this.view;
    const pair = (/** @type {string} */ name, /** @type {string} */ value, /** @type {string} */ title) =>
      el("span", { title }, `${name} `, el("b", {}, value));
    const [distance, likelihood, best] = [kl, h.best - kl, h.best].map((x) => fixed(x, 3));
    if (h.plain) {
      const words =
        "How far the machine's probabilities are from the data's; zero is perfect. Later lessons call it KL.";
      return [pair("distance", distance, words)];
    }
    return [
      pair(
        "log-likelihood",
        `${likelihood} nats`,
        `The mean of log p(v) over the data. The best possible is ${best} nats.`,
      ),
      pair(
        "best",
        best,
        "The best possible log-likelihood, in nats: reached when the machine's probabilities equal the data's.",
      ),
      pair("KL", `${distance} nats`, "The distance still to go: best possible minus log-likelihood."),
    ];
  }
  paintKeys() {
    const { h, pen } = this.view;
    const { methods } = this;
    const keyed = [methods, h.method, pen.dark, h.plain].join();
    if (this.keyed === keyed) return;
    this.keyed = keyed;
    const swatches = methods.map((m) => {
      const colour = el("i", { style: `background:${pen.line(m)}` });
      return el("span", { class: m === h.method ? "key strong" : "key" }, colour, h.method_names[m]);
    });
    this.keys.replaceChildren(...(h.plain ? [] : swatches));
  }
  paintCurves() {
    const { h, at, pen } = this.view;
    const T = h.n_updates;
    const width = pen.wide(this.box);
    const height = clamp(window.innerHeight / pen.em / 4 - 130, 70, 130);
    const ctx = pen.sheet(this.canvas, width, height);
    const most = Math.max(...Object.values(this.curves).map((c) => c.reduce((x, y) => Math.max(x, y), 0)));
    const top = most * 1.05;
    const x = (/** @type {number} */ t) => LEFT + (t / T) * (width - LEFT - RIGHT);
    const y = (/** @type {number} */ kl) => 4 + (1 - clamp(kl / top, 0, 1)) * (height - BOTTOM - 6);
    ctx.strokeStyle = pen.ink.line;
    for (const k of ticks(0, top, 2)) {
      segment(ctx, LEFT, y(k), width - RIGHT, y(k));
      pen.text(ctx, String(Number(k.toPrecision(3))), LEFT - 6, y(k) + 4, { align: "right", size: 11 });
    }
    writeUpdates(pen, ctx, T, x, height - 4, width);
    const every = Math.max(1, Math.floor(T / (width * 2)));
    const trace = (/** @type {Float64Array} */ curve, /** @type {number} */ until) => {
      ctx.beginPath();
      for (let t = 0; t <= until; t += every) ctx.lineTo(x(t), y(curve[t]));
      ctx.lineTo(x(until), y(curve[until]));
      ctx.stroke();
    };
    ctx.lineJoin = "round";
    ctx.lineWidth = 1.25;
    for (const m of [...this.methods.filter((m) => m !== h.method), h.method]) {
      ctx.strokeStyle = pen.line(m);
      ctx.globalAlpha = m === h.method ? 0.35 : 0.55;
      trace(this.curves[m], h.asks && m === h.method ? at : T);
    }
    ctx.globalAlpha = 1;
    ctx.lineWidth = 2.5;
    trace(this.curves[h.method], at);
    ctx.lineWidth = 1.5;
    ctx.strokeStyle = pen.ink.text;
    segment(ctx, x(at), 2, x(at), height - BOTTOM + 2);
    ctx.fillStyle = pen.line(h.method);
    ctx.strokeStyle = pen.ink.paper;
    dot(ctx, x(at), y(this.curves[h.method][at]), 5);
    ctx.stroke();
    ctx.lineWidth = 1;
  }

  picture() {
    const { view } = this;
    const legend = this.methods.map(
      (m) => /** @type {[string, string]} */ ([view.pen.line(m), view.h.method_names[m]]),
    );
    const title = "KL(data ‖ machine), nats, update by update";
    return { title, name: view.called("kl"), of: view.source(), rows: [[this.canvas]], legend };
  }
  table() {
    const { methods, curves } = this;
    const rows = Array.from(curves[this.view.h.method], (_, t) => [t, ...methods.map((m) => curves[m][t])]);
    return { columns: ["update", ...methods.map((m) => `kl_${m}_nats`)], rows };
  }
}
