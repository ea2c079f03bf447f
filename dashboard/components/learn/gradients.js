// The exact gradient beside the estimates of CD-1, CD-10 and PCD, and the angles between them through learning.

import { dot, segment } from "../lib/canvas.js";
import { find, findCanvas } from "../lib/dom.js";
import { clamp, pretty } from "../lib/numbers.js";
import { Matrix } from "./matrices.js";
import { parameterTable } from "./tables.js";
import { writeUpdates } from "./transport.js";

const DIAL = 96; // units: the width of an angle's picture
const ESTIMATES = ["cd1", "cd10", "pcd"];
const LEFT = 44;
const HEIGHT = 96; // of the chart of angles: it ends above the fold of a window 800 high
const BOTTOM = 20;

/** The view "Gradients compared". */
export class Gradients {
  /** @param {import("./learn.js").Learn} view */
  constructor(view) {
    this.view = view;
    this.panel = view.panels.gradients;
    /** Whether the estimates of many chains are shown: 0 or 1. */
    this.many = 0;
    this.guesses = Array.from(this.panel.querySelectorAll(".guess"), (box) => ({
      box: /** @type {HTMLElement} */ (box),
      method: box.getAttribute("data-method") ?? "",
      matrix: new Matrix(view, findCanvas(box)),
      dial: findCanvas(box, "canvas + canvas"),
    }));
    this.note = find(this.panel, ".head .note");
    this.turn = findCanvas(this.panel, ".turn canvas");
    this.buttons = /** @type {HTMLButtonElement[]} */ ([...this.panel.querySelectorAll(".many button")]);
    for (const [k, button] of this.buttons.entries()) {
      button.onclick = () => {
        this.many = k;
        view.draw();
      };
    }
  }
  /** The last moment, up to the update looked at, at which gradients were compared. */
  moment() {
    const { a, at } = this.view;
    let k = 0;
    while (k + 1 < a.moments.length && a.moments[k + 1] <= at) k++;
    return k;
  }
  /**
   * @param {string} method
   * @param {number} k the moment
   */
  gradient(method, k) {
    const { a, size } = this.view;
    if (method === "exact") return this.view.row("exact", k);
    const from = ((this.many * 3 + ESTIMATES.indexOf(method)) * a.moments.length + k) * size;
    return a.estimates.subarray(from, from + size);
  }
  /**
   * Degrees from the exact gradient; NaN where there is no step.
   * @param {string} method
   * @param {number} k the moment
   */
  angle(method, k) {
    const { a } = this.view;
    if (method === "exact") return 0;
    return a.angles[(this.many * 3 + ESTIMATES.indexOf(method)) * a.moments.length + k];
  }

  paint() {
    const { h, a, pen, box, room } = this.view;
    const k = this.moment();
    for (const [i, button] of this.buttons.entries()) {
      button.textContent = `${h.chains[i]} chains`;
      button.setAttribute("aria-pressed", String(i === this.many));
      button.title = i
        ? "Many chains: the noise averages out, the bias stays"
        : "As many chains as an update uses";
    }
    const all = this.guesses.map(({ method }) => this.gradient(method, k));
    const reach = Math.max(1e-3, ...all.flatMap((x) => Array.from(x, Math.abs)));
    this.note.textContent = this.words(k, reach);
    box.dataset.moment = String(a.moments[k]);
    const most = clamp(pen.wide(this.guesses[0].box) - DIAL - 14, 90, 230);
    const look = { low: -reach, high: reach, stops: pen.stops, most, tall: clamp(room - 240, 96, 250) };
    const length = (/** @type {Float32Array} */ x) => Math.sqrt(x.reduce((s, z) => s + z * z, 0));
    const exact = length(all[0]);
    for (const [n, { box, method, matrix, dial }] of this.guesses.entries()) {
      const name = method === "exact" ? "Exact gradient" : h.method_names[method];
      const title = find(box, ".name");
      title.textContent = name;
      title.style.borderColor = pen.line(method);
      matrix.draw(all[n], { ...look, name });
      const degrees = this.angle(method, k);
      box.dataset.degrees = degrees.toFixed(3);
      const times = `length ${(length(all[n]) / exact).toFixed(2)} × exact`;
      find(box, ".note").textContent = n ? times : `length ${pretty(exact, 2)}`;
      this.paintDial(dial, degrees, method);
    }
    this.paintTurn(k);
  }
  /**
   * @param {number} k the moment
   * @param {number} reach
   */
  words(k, reach) {
    const { h, a, at } = this.view;
    const made = h.method === "exact" ? "the exact gradient" : h.method_names[h.method];
    const now = at.toLocaleString("en-US");
    const earlier = a.moments[k] < at ? `, the last before ${now} at which they were compared` : "";
    const end = pretty(reach, 2);
    return `At update ${a.moments[k].toLocaleString("en-US")} of learning by ${made}${earlier}. Colours: blue −${end} to red +${end} in all four.`;
  }
  /**
   * The exact gradient points straight up; the estimate is turned from it by its angle.
   * @param {HTMLCanvasElement} canvas
   * @param {number} degrees
   * @param {string} method
   */
  paintDial(canvas, degrees, method) {
    const { pen } = this.view;
    const c = DIAL / 2;
    const r = c - 5;
    const ctx = pen.sheet(canvas, DIAL, DIAL + 24);
    const angle = (degrees * Math.PI) / 180;
    const exact = method === "exact";
    ctx.strokeStyle = pen.ink.line;
    ctx.beginPath();
    ctx.arc(c, c, r, 0, 7);
    ctx.stroke();
    const ray = (/** @type {number} */ turn, /** @type {string} */ colour, /** @type {number} */ width) => {
      const [x, y] = [c + Math.sin(turn) * r, c - Math.cos(turn) * r];
      ctx.strokeStyle = ctx.fillStyle = colour;
      ctx.lineWidth = width;
      segment(ctx, c, c, x, y);
      ctx.beginPath();
      for (const [bend, back] of [
        [0, 0],
        [-0.384, 11],
        [0.384, 11],
      ]) {
        ctx.lineTo(x - Math.sin(turn + bend) * back, y + Math.cos(turn + bend) * back);
      }
      ctx.fill();
    };
    if (!exact && !Number.isNaN(degrees)) {
      ctx.fillStyle = pen.line(method);
      ctx.globalAlpha = 0.16;
      ctx.beginPath();
      ctx.moveTo(c, c);
      ctx.arc(c, c, r, -Math.PI / 2, angle - Math.PI / 2);
      ctx.fill();
      ctx.globalAlpha = 1;
    }
    ray(0, pen.line("exact"), 2);
    if (exact) pen.text(ctx, "straight up", c, DIAL + 16, { align: "center", size: 12, alpha: 0.9 });
    else if (Number.isNaN(degrees)) pen.text(ctx, "no step", c, DIAL + 16, { align: "center", size: 12 });
    else {
      ray(angle, pen.line(method), 3);
      const look = { align: /** @type {const} */ ("center"), size: 18, weight: 600, alpha: 1 };
      pen.text(ctx, `${degrees.toFixed(0)}° off`, c, DIAL + 18, look);
    }
    ctx.lineWidth = 1;
    const label = `${degrees.toFixed(0)} degrees from the exact gradient`;
    canvas.setAttribute("aria-label", exact ? "the direction of steepest ascent" : label);
  }
  /**
   * The angles at all moments.
   * @param {number} now the moment shown
   */
  paintTurn(now) {
    const { h, a, pen, box } = this.view;
    const width = pen.wide(box);
    const ctx = pen.sheet(this.turn, width, HEIGHT);
    const x = (/** @type {number} */ t) => LEFT + (t / h.n_updates) * (width - LEFT - 8);
    const y = (/** @type {number} */ d) => 20 + (1 - d / 180) * (HEIGHT - BOTTOM - 24);
    const title = pen.fitting(
      ctx,
      width - LEFT,
      "Angle to the exact gradient, in degrees, through learning: above 90° a step leads downhill",
      "Angle to the exact gradient: above 90°, downhill",
    );
    pen.text(ctx, title, LEFT, 11);
    ctx.strokeStyle = pen.ink.line;
    for (const d of [0, 45, 90, 135, 180]) {
      ctx.setLineDash(d === 90 ? [5, 4] : []);
      segment(ctx, LEFT, y(d), width - 8, y(d));
      pen.text(ctx, `${d}°`, LEFT - 6, y(d) + 4, { align: "right", size: 11 });
    }
    ctx.setLineDash([]);
    ctx.lineWidth = 2;
    for (const method of ESTIMATES) {
      ctx.strokeStyle = ctx.fillStyle = pen.line(method);
      ctx.beginPath();
      for (const [k, t] of a.moments.entries()) ctx.lineTo(x(t), y(this.angle(method, k)));
      ctx.stroke();
      dot(ctx, x(a.moments[now]), y(this.angle(method, now)), 4.5);
    }
    ctx.lineWidth = 1;
    ctx.strokeStyle = pen.ink.text;
    segment(ctx, x(a.moments[now]), 18, x(a.moments[now]), HEIGHT - BOTTOM + 2);
    writeUpdates(pen, ctx, h.n_updates, x, HEIGHT - 4, width);
  }

  picture() {
    const matrices = this.guesses.map(({ box, matrix }) => ({
      canvas: matrix.canvas,
      name: find(box, ".name").textContent,
    }));
    const rows = [matrices, this.guesses.map(({ dial }) => ({ canvas: dial })), [{ canvas: this.turn }]];
    return { title: "Which way is up?", note: this.note.textContent, rows };
  }
  table() {
    const k = this.moment();
    const parts = this.guesses.map(({ method }) => [method, this.gradient(method, k)]);
    return parameterTable(this.view, Object.fromEntries(parts));
  }
}
