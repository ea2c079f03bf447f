// The curves of a run: a canvas chart that keeps zoom, legend, hover and smoothing while rows stream in.

import { sharpen, spotOf, textScale } from "../lib/canvas.js";
import { el } from "../lib/dom.js";
import { clamp } from "../lib/numbers.js";
import { saveButtons } from "../lib/save.js";
import { inWords } from "../lib/table.js";
import { onResize, show, View } from "../lib/view.js";
import { AXES, GROUPS } from "./groups.js";
import { Legend } from "./legend.js";
import { drawAxis, drawMarks } from "./marks.js";
import { drawPanel, MARGIN } from "./plot.js";
import { pointsOf, Rows, soften } from "./rows.js";
import { scaleX } from "./scales.js";

/**
 * The rows begin at number `from` of all rows: 0 where the whole is sent.
 * @typedef {object} Header
 * @property {string} version of the run; another one: the rows known are of another run
 * @property {number} from
 * @property {string[]} columns
 * @property {number | null} cursor the step that the page shows
 * @property {{ step: number, label: string }[]} events
 * @property {{ group: string, axis: string }} [view] to begin with
 * @property {number} steps_per_epoch
 * @property {boolean} alive
 * @property {string} [fantasies] what their free energy should do, and does now
 * @property {import("../lib/table.js").Table} [table] of a run that learns one
 * @property {import("../lib/save.js").Source} of
 */
/** @typedef {{ rows: Float64Array & { shape: number[] }, estimates: import("./rows.js").Estimates }} Arrays */

const AXIS_WORDS = "What runs from left to right: updates, passes over the data, or seconds of training";

/** The chart: rows, group, axis, zoom and pointer, and what changes them. Its parts are drawn by modules of their own. */
export class Curves extends View {
  fantasies = "";
  /** @type {import("../lib/table.js").Table | undefined} */
  learned;
  rows = new Rows([]);
  /** @type {import("./rows.js").Estimates | undefined} */
  estimates;
  /** @type {Header["events"]} */
  events = [];
  /** @type {import("../lib/save.js").Source} */
  of = {};
  alive = false;
  perEpoch = 1;
  /** @type {number | null} the step that the page shows */
  cursor = null;
  group = "energy";
  axis = "step";
  logX = false;
  /** The weight of the running average; 0: none. */
  smooth = 0;
  /** @type {[number, number] | null} in units of the axis; null: everything, following the newest */
  zoom = null;
  /** @type {number | null} the row under the pointer */
  hover = null;
  /** @type {{ from: number, to: number } | null} the zoom being drawn, in places */
  drag = null;
  /** @type {import("./plot.js").Panel[]} drawn last */
  panels = [];
  /** @type {{ top: number, bottom: number }[]} where they lie */
  frames = [];
  /** @type {import("./scales.js").ScaleX | undefined} */
  sx;

  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    this.tabs = el("div", { class: "row tabs", role: "tablist", "aria-label": "Which curves" });
    for (const [key, group] of Object.entries(GROUPS)) {
      const choose = () => this.choose(key);
      this.tabs.append(el("button", { role: "tab", "data-key": key, onclick: choose }, group.label));
    }
    this.legend = new Legend(this);
    this.canvas = el("canvas", { role: "img", tabindex: "0" });
    this.note = el("div", { class: "note" });
    this.axisPicker = el("select", { "aria-label": "Horizontal axis", title: AXIS_WORDS });
    this.axisPicker.append(...Object.keys(AXES).map((key) => el("option", { value: key }, `by ${key}`)));
    this.axisPicker.onchange = () => {
      this.axis = this.axisPicker.value;
      this.zoom = null;
      this.tell();
      this.draw();
    };
    this.reset = el(
      "button",
      { hidden: "", title: "Leave the zoom and follow the newest again" },
      "whole run",
    );
    this.reset.onclick = () => this.zoomTo(null);
    root.append(
      this.tabs,
      this.legend.box,
      el("div", { class: "stage" }, this.canvas),
      this.tools(),
      this.note,
    );
    this.observer = onResize(this, root);
    this.stop = new AbortController();
    this.listen();
  }
  tools() {
    const log = el("input", { type: "checkbox" });
    log.onchange = () => {
      this.logX = log.checked;
      this.draw();
    };
    const smooth = el("input", { type: "range", min: 0, max: 0.98, step: 0.02, value: 0 });
    smooth.oninput = () => {
      this.smooth = Number(smooth.value);
      this.draw();
    };
    const average = "Running average; the raw curve stays behind it, faint";
    return el(
      "div",
      { class: "row tools" },
      saveButtons(this),
      this.reset,
      this.axisPicker,
      el("label", { title: "Stretch the early steps" }, log, "log"),
      el("label", { title: average }, "smooth", smooth),
    );
  }
  close() {
    this.observer.disconnect();
    this.stop.abort();
  }

  /** @param {string} key */
  choose(key) {
    this.group = key;
    this.hover = null;
    this.tell();
    this.draw();
  }
  tell() {
    this.say("view", { group: this.group, axis: this.axis });
  }
  /** @param {[number, number] | null} span */
  zoomTo(span) {
    this.zoom = span;
    this.draw();
  }

  /** @param {{ header: Header, arrays: Arrays }} blob */
  receive({ header, arrays }) {
    const first = this.version === undefined;
    const anew = header.version !== this.version || header.from === 0;
    if (anew ? header.from !== 0 : header.from > this.rows.n) {
      this.need();
      return;
    }
    if (!first && header.version !== this.version) this.zoom = null; // another run, not the same one sent again
    if (anew) this.rows = new Rows(header.columns);
    this.version = header.version;
    clearInterval(this.needing);
    this.rows.put(header.from, arrays.rows);
    this.estimates = arrays.estimates;
    this.fantasies = header.fantasies ?? "";
    this.learned = header.table;
    const { events, of, alive, steps_per_epoch: perEpoch, cursor } = header;
    Object.assign(this, { events, of, alive, perEpoch, cursor });
    if (!first || !header.view) return;
    this.group = header.view.group;
    this.axis = this.axisPicker.value = header.view.axis;
  }

  // Taking away

  picture() {
    if (!this.rows.n) return null;
    const legend = this.shownLines().map(
      (line) =>
        /** @type {[string, string]} */ ([
          this.ink.lines[line.colour],
          `${line.label} ${this.legend.values[line.column] ?? ""}`,
        ]),
    );
    const { label } = GROUPS[this.group];
    return { title: label, name: `curves-${this.group}`, of: this.of, rows: [[this.canvas]], legend };
  }
  shownLines() {
    return this.panels.flatMap((p) => p.lines).filter((line) => !this.legend.hidden.has(line.column));
  }
  /** The curves shown, unsmoothed, over the span shown; estimates by evaluations are rows of their own. */
  table() {
    const lines = this.shownLines();
    const estimated = lines.some((line) => line.estimate);
    const columns = ["step", "epoch", "seconds", ...lines.map((line) => line.column)];
    if (estimated) columns.push("standard_error");
    const recorded = columns.map((name) => (name === "standard_error" ? "log_z_stderr" : name));
    const [low, high] = this.xSpan();
    const rows = [];
    for (let i = 0; i < this.rows.n; i++) {
      if (this.x(i) >= low && this.x(i) <= high) rows.push(recorded.map((name) => this.rows.at(name, i)));
    }
    const [count] = (estimated && this.estimates?.shape) || [0];
    for (let i = 0; i < count; i++) rows.push(this.estimateRow(columns, i));
    return { columns, rows };
  }
  /**
   * @param {string[]} columns
   * @param {number} i
   */
  estimateRow(columns, i) {
    const [step, train, valid, test, error] = this.estimates?.subarray(5 * i, 5 * i + 5) ?? [];
    /** @type {Record<string, number>} */
    const known = {
      step,
      log_likelihood_train: train,
      log_likelihood_valid: valid,
      log_likelihood_test: test,
      standard_error: error,
    };
    return columns.map((name) => known[name] ?? Number.NaN);
  }

  // The axis across

  xColumn() {
    return this.axis === "time" ? "seconds" : this.axis;
  }
  /** @param {number} row */
  x(row) {
    return this.rows.at(this.xColumn(), row);
  }
  /**
   * A step, which may lie between two recorded rows, on the chosen axis.
   * @param {number} step
   */
  xOfStep(step) {
    if (this.axis === "time") return this.rows.secondsAt(step);
    return this.axis === "epoch" ? step / this.perEpoch : step;
  }
  /** @returns {[number, number]} */
  xSpan() {
    const { n } = this.rows;
    if (!n) return [0, 1];
    if (this.zoom) return this.zoom;
    const low = this.x(0);
    const last = this.x(n - 1);
    // The state shown may be newer than the last recorded row: then the frame reaches as far.
    const shown = this.cursor === null ? last : this.xOfStep(this.cursor);
    const high = Math.max(shown, last);
    return [low, high > low ? high : low + 1];
  }

  // Drawing

  draw() {
    const em = textScale();
    const width = Math.floor(this.root.clientWidth / em);
    if (!width) return;
    const group = GROUPS[this.group];
    const { n } = this.rows;
    for (const tab of this.tabs.children) {
      const key = tab.getAttribute("data-key") ?? "";
      tab.setAttribute("aria-selected", String(key === this.group));
      // A true or false: without one (`undefined`) toggleAttribute would hide and show the tab in turn.
      const absent = GROUPS[key].optional === true && !this.panelsWithValues(key).length;
      tab.toggleAttribute("hidden", absent && key !== this.group);
    }
    // What the fantasies should do, and do, is said by the doctor's own rule: caption and doctor cannot disagree.
    const note = this.group === "energy" ? `${group.note} ${this.fantasies}`.trim() : group.note;
    this.note.textContent = inWords(note, this.learned);
    this.reset.hidden = !this.zoom;
    const keys =
      "Drag to zoom, double-click for the whole run, click to go to that moment; or the arrow keys to read values, Enter to go there.";
    this.canvas.setAttribute("aria-label", `${group.label}: ${n} recorded rows. ${keys}`);
    const height = Math.round(clamp(0.42 * width, 270, 420));
    const ctx = sharpen(this.canvas, width, height, em);
    ctx.font = `12px ${this.ink.font}`;
    if (n) this.drawGroup(ctx, width, height);
    else this.drawNothing(ctx, width, height);
  }
  /**
   * @param {CanvasRenderingContext2D} ctx
   * @param {number} width
   * @param {number} height
   */
  drawNothing(ctx, width, height) {
    const waiting = this.alive
      ? "The first point comes with the first updates."
      : "This run has recorded no curves.";
    this.sayInTheMiddle(
      ctx,
      this.version === undefined ? "The curves are on their way …" : waiting,
      width,
      height,
    );
    this.legend.clear();
  }
  /**
   * @param {CanvasRenderingContext2D} ctx
   * @param {string} words
   * @param {number} width
   * @param {number} height
   */
  sayInTheMiddle(ctx, words, width, height) {
    ctx.fillStyle = this.ink.text;
    ctx.textAlign = "center";
    ctx.fillText(words, width / 2, height / 2);
  }
  /**
   * The panels of the group, one below the other.
   * @param {CanvasRenderingContext2D} ctx
   * @param {number} width
   * @param {number} height
   */
  drawGroup(ctx, width, height) {
    const { left } = MARGIN;
    const right = width - MARGIN.right;
    const unit = this.logX ? Math.max(this.rows.n > 1 ? this.x(1) : 1, 1e-9) : null;
    const [low, high] = this.xSpan();
    const sx = scaleX([low, high], [left, right - 8], unit);
    const first = Math.max(0, this.rows.rowOf(this.xColumn(), low));
    const last = Math.min(this.rows.n - 1, this.rows.rowOf(this.xColumn(), high) + 1);
    this.sx = sx;
    this.panels = this.panelsWithValues();
    const x = (/** @type {number} */ row) => this.x(row);
    const { ink, hover } = this;
    const frame = { ctx, ink, sx, x, first, last, left, right, hover, smooth: this.smooth > 0 };
    const between = MARGIN.between * Math.max(0, this.panels.length - 1);
    const room = height - MARGIN.top - MARGIN.bottom - between;
    const shares = this.panels.reduce((sum, p) => sum + p.share, 0) || 1;
    let top = MARGIN.top + 12;
    this.frames = this.panels.map((panel) => {
      const bottom = top + (room * panel.share) / shares - 12;
      const title = inWords(panel.title, this.learned);
      drawPanel(frame, { ...panel, title }, this.legend.hidden, top, bottom);
      const place = { top, bottom };
      top = bottom + MARGIN.between + 12;
      return place;
    });
    const nothing = "This run has recorded nothing for these curves.";
    if (!this.panels.length) this.sayInTheMiddle(ctx, nothing, width, height);
    drawAxis(this, ctx, sx, left, right, height);
    drawMarks(this, ctx, sx, left, right);
    this.legend.fill(this.panels.flatMap((p) => p.lines));
  }
  /** The panels and lines of a group of which the run recorded anything. */
  panelsWithValues(key = this.group) {
    return GROUPS[key].panels
      .map((panel) => ({ ...panel, lines: panel.lines.flatMap((line) => this.curveOf(line) ?? []) }))
      .filter((panel) => panel.lines.length);
  }
  /**
   * A line with its values; null where there is none.
   * @param {import("./groups.js").Line} line
   * @returns {import("./plot.js").Curve | null}
   */
  curveOf(line) {
    const raw = this.rows.column(line.column);
    const estimates = pointsOf(line, this.estimates);
    if (!estimates.length && raw.every(Number.isNaN)) return null;
    /** @type {[number, number, number][]} */
    const points = estimates.map(([step, y, error]) => [this.xOfStep(step), y, error]);
    /** @type {[number, number, number][]} */
    const band = [];
    for (let i = 0; line.estimate && i < raw.length; i++) {
      const own = this.rows.at(`${line.column}_stderr`, i);
      const error = Number.isFinite(own) ? own : this.rows.at("log_z_stderr", i); // older runs have only that
      if (Number.isFinite(error) && Number.isFinite(raw[i])) band.push([this.x(i), raw[i], error]);
    }
    return { ...line, raw, soft: this.smooth ? soften(raw, this.smooth) : raw, points, band };
  }
  // Pointer, keys, and the moment that the time slider is moved to

  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointermove", (event) => {
      if (!this.sx || !this.rows.n) return;
      const p = this.placeOf(event);
      const most = canvas.clientWidth / textScale() - MARGIN.right;
      if (this.drag) this.drag.to = Math.min(Math.max(p, MARGIN.left), most);
      this.hover = p < MARGIN.left - 4 ? null : this.nearest(this.sx.from(p));
      this.draw();
    });
    canvas.addEventListener("pointerleave", () => {
      if (!this.drag) this.leave();
    });
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.sx || event.button) return;
      canvas.setPointerCapture(event.pointerId);
      const p = Math.max(this.placeOf(event), MARGIN.left);
      this.drag = { from: p, to: p };
    });
    canvas.addEventListener("pointerup", () => this.release());
    canvas.addEventListener("dblclick", () => this.zoomTo(null));
    canvas.addEventListener("blur", () => this.leave());
    canvas.addEventListener("keydown", (event) => this.key(event));
    const moved = (/** @type {any} */ event) => {
      this.cursor = event.detail.step;
      this.draw();
    };
    window.addEventListener("rbm-moment", moved, { signal: this.stop.signal });
  }
  /** @param {MouseEvent} event */
  placeOf(event) {
    return spotOf(event, this.canvas, textScale())[0];
  }
  /**
   * The row nearest to a value of the axis.
   * @param {number} x
   */
  nearest(x) {
    const row = this.rows.rowOf(this.xColumn(), x);
    const next = row + 1 < this.rows.n && Math.abs(this.x(row + 1) - x) < Math.abs(this.x(row) - x);
    return next ? row + 1 : row;
  }
  leave() {
    this.hover = null;
    this.draw();
  }
  /** The pointer was lifted: after a drag the span is zoomed to, after a click the page goes to the moment. */
  release() {
    const { drag, sx } = this;
    this.drag = null;
    if (!drag || !sx) return;
    const [a, b] = [drag.from, drag.to].sort((u, v) => u - v);
    if (b - a > 8) this.zoom = [sx.from(a), sx.from(b)];
    else if (this.rows.n) this.goTo(this.nearest(sx.from(a)));
    this.draw();
  }
  /** @param {number} row */
  goTo(row) {
    window.dispatchEvent(new CustomEvent("rbm-goto", { detail: { step: this.rows.at("step", row) } }));
  }
  /**
   * The pointer's work without one: read the values, go to the moment.
   * @param {KeyboardEvent} event
   */
  key(event) {
    if (event.key === "Escape") {
      this.zoom = null;
      this.leave();
    }
    if (event.key === "Enter" && this.hover !== null) this.goTo(this.hover);
    /** @type {Record<string, number>} */
    const steps = { ArrowLeft: -1, ArrowRight: 1 };
    if (!(event.key in steps) || !this.rows.n) return;
    event.preventDefault();
    const shown = this.cursor === null ? this.rows.n - 1 : this.rows.rowOf("step", this.cursor);
    const by = steps[event.key] * (event.shiftKey ? 10 : 1);
    this.hover = clamp((this.hover ?? shown) + by, 0, this.rows.n - 1);
    this.draw();
  }
}

/** @param {import("../lib/view.js").Mounted} component */
export default (component) => show(component, Curves);
