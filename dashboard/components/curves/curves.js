import { sharpen, textScale } from "../lib/canvas.js";
import { el } from "../lib/dom.js";
import { clock, pretty, ticks } from "../lib/numbers.js";
import { saveButtons } from "../lib/save.js";
import { onResize, show, View } from "../lib/view.js";
// Curves of a run. Rows arrive incrementally; zoom, legend, hover and smoothing live here and survive.
// header: {version, from, columns, cursor, events, view, steps_per_epoch, of}
// arrays: rows float64 (n, C); estimates float64 (m, 5): step, train, validation and test nats, standard error

const LINE = (column, label, colour) => ({ column, label, colour });
const GROUPS = {
  energy: {
    label: "Free energy",
    panels: [
      { title: "free energy F(v), nats", share: 3, lines: [
        LINE("free_energy_train", "training", "blue"),
        LINE("free_energy_valid", "validation", "orange"),
        LINE("free_energy_fantasy", "fantasies", "green")] },
      { title: "gap: validation − training, nats", share: 2, zero: true, lines: [LINE("free_energy_gap", "gap", "purple")] },
    ],
    note: "Lower means the model finds such images more probable. Only differences count: a growing gap means overfitting; " +
      "fantasies are the model's own samples, and should stand about as low as the data.",
  },
  likelihood: {
    label: "Likelihood",
    panels: [
      { title: "log-likelihood log p(v), nats per image", share: 3, lines: [
        { ...LINE("log_likelihood_train", "log p, training", "blue"), estimate: 1 },
        { ...LINE("log_likelihood_valid", "log p, validation", "orange"), estimate: 2 },
        { ...LINE("log_likelihood_test", "log p, test", "purple"), estimate: 3 }] },
      { title: "pseudo-likelihood, nats per image", share: 2, lines: [
        { ...LINE("pseudo_likelihood_train", "pseudo, training", "blue"), dash: [5, 3] },
        { ...LINE("pseudo_likelihood_valid", "pseudo, validation", "orange"), dash: [5, 3] }] },
    ],
    note: "Higher is better. The log-likelihood log p(v) needs log Z: dots are estimates made on the page Evaluate, a line is what the run " +
      "itself followed; bars and bands are ± 1 standard error. The pseudo-likelihood guesses one pixel from all the others: cheap, but blind to the overall shape.",
  },
  reconstruction: {
    label: "Reconstruction",
    panels: [{ title: "mean squared error per pixel", share: 1, lines: [LINE("reconstruction_error", "training", "vermillion")] }],
    note: "How well one step down and up returns the image. Beware: it also falls when the chain mixes badly, " +
      "and it is not what training minimises. Never judge a model by it alone.",
  },
  weights: {
    label: "Weights",
    panels: [
      { title: "‖W‖", share: 1, lines: [LINE("weight_norm", "norm of the weights", "blue")] },
      { title: "‖ΔW‖ / ‖W‖", share: 1, log: true, guide: 1e-3, lines: [LINE("update_ratio", "update / weight ratio", "vermillion")] },
    ],
    note: "How large the weights are, and how large each update is beside them. About 1e-3 (the dashed line) is a healthy pace.",
  },
  activity: {
    label: "Activity",
    panels: [
      { title: "fraction", share: 1, lines: [
        LINE("mean_activation", "mean hidden activation", "blue"),
        LINE("flips_per_sweep", "pixels flipped by a sweep", "green")] },
      { title: "hidden units", share: 1, zero: true, lines: [
        LINE("dead_units", "dead", "vermillion"),
        LINE("saturated_units", "always on", "orange")] },
    ],
    note: "How often hidden units are on, how many never or always are, and how much the fantasy chains still move.",
  },
  pace: {
    label: "Pace",
    panels: [
      { title: "learning rate", share: 1, zero: true, lines: [LINE("learning_rate", "learning rate", "blue")] },
      { title: "steps / s", share: 1, zero: true, lines: [LINE("steps_per_s", "speed", "green")] },
    ],
    note: "How far each update goes, and how many updates a second the trainer makes.",
  },
};
const AXES = { step: "step", epoch: "epoch", time: "training time, s" };
const MARGIN = { left: 62, right: 14, top: 8, between: 26, bottom: 36 };

class Curves extends View {
  constructor(root) { super(root);
    this.root = root;
    this.rows = { n: 0, columns: [], place: {}, data: new Float64Array(0) };
    this.group = "energy";
    this.axis = "step";
    this.logX = false;
    this.smooth = 0;
    this.zoom = null; // [low, high] in units of the axis, or null: everything, following the newest
    this.hidden = new Set();
    this.hover = null;
    this.cursor = null;
    this.events = [];
    this.panels = [];
    this.values = {};
    this.build();
  }

  build() {
    this.tabs = el("div", { class: "row tabs", role: "tablist", "aria-label": "Which curves" });
    for (const [key, group] of Object.entries(GROUPS)) {
      const button = el("button", { role: "tab", onclick: () => this.choose(key) }, group.label);
      button.dataset.key = key;
      this.tabs.append(button);
    }
    this.legend = el("div", { class: "row legend" });
    this.canvas = el("canvas", { role: "img", tabindex: "0" });
    this.stage = el("div", { class: "stage" }, this.canvas);
    this.note = el("div", { class: "note" });
    this.axisPicker = el("select", { "aria-label": "Horizontal axis", title: "What runs from left to right: updates, passes over the data, or seconds of training", onchange: () => {
      this.axis = this.axisPicker.value;
      this.zoom = null;
      this.tell();
      this.draw();
    } });
    for (const key of Object.keys(AXES)) this.axisPicker.append(el("option", { value: key }, `by ${key}`));
    this.logBox = el("input", { type: "checkbox", onchange: () => { this.logX = this.logBox.checked; this.draw(); } });
    this.smoothBar = el("input", { type: "range", min: 0, max: 0.98, step: 0.02, value: 0, oninput: () => {
      this.smooth = Number(this.smoothBar.value);
      this.draw();
    } });
    this.reset = el("button", { hidden: "", title: "Leave the zoom and follow the newest again", onclick: () => { this.zoom = null; this.draw(); } }, "whole run");
    const tools = el("div", { class: "row tools" },
      saveButtons(this), this.reset, this.axisPicker, el("label", { title: "Stretch the early steps" }, this.logBox, "log"),
      el("label", { title: "Running average; the raw curve stays behind it, faint" }, "smooth", this.smoothBar));
    this.root.append(this.tabs, this.legend, this.stage, tools, this.note);
    this.listen();
    this.observer = onResize(this, this.root);
    this.onMoment = (event) => { this.cursor = event.detail.step; this.draw(); };
    window.addEventListener("rbm-moment", this.onMoment);
  }

  close() {
    this.observer.disconnect();
    window.removeEventListener("rbm-moment", this.onMoment);
  }

  choose(key) {
    this.group = key;
    this.hover = null;
    this.tell();
    this.draw();
  }

  tell() { this.say("view", { group: this.group, axis: this.axis }); }

  receive({ header, arrays }) {
    const first = this.version === undefined;
    if (header.version !== this.version || header.from === 0) {
      if (header.from !== 0) return this.need();
      if (!first && header.version !== this.version) this.zoom = null; // another run, not the same one sent again
      this.version = header.version;
      const place = Object.fromEntries(header.columns.map((name, i) => [name, i]));
      this.rows = { n: 0, columns: header.columns, place, data: new Float64Array(0) };
    }
    if (header.from > this.rows.n) return this.need();
    const { rows } = this, width = rows.columns.length, added = arrays.rows;
    const n = header.from + added.shape[0];
    if (n * width > rows.data.length) {
      const grown = new Float64Array(Math.max(2 * rows.data.length, n * width, 256 * width));
      grown.set(rows.data.subarray(0, rows.n * width));
      rows.data = grown;
    }
    clearInterval(this.needing);
    rows.data.set(added, header.from * width);
    rows.n = Math.max(rows.n, n);
    this.estimates = arrays.estimates;
    this.events = header.events;
    this.of = header.of;
    this.alive = header.alive;
    this.perEpoch = header.steps_per_epoch;
    this.cursor = header.cursor;
    if (first && header.view) {
      this.group = header.view.group;
      this.axis = this.axisPicker.value = header.view.axis;
    }
  }

  picture() {
    if (!this.rows.n) return null;
    const group = GROUPS[this.group], lines = this.panels.flatMap((p) => p.lines).filter((l) => !this.hidden.has(l.column));
    const legend = lines.map((l) => [this.ink.lines[l.colour], `${l.label} ${this.values[l.column] || ""}`]);
    return { title: group.label, name: `curves-${this.group}`, of: this.of, rows: [[this.canvas]], legend };
  }
  // The curves shown, unsmoothed, over the span shown; estimates by evaluations are rows of their own.
  table() {
    const lines = this.panels.flatMap((p) => p.lines).filter((l) => !this.hidden.has(l.column));
    const columns = ["step", "epoch", "seconds", ...lines.map((l) => l.column)], [low, high] = this.xSpan(), rows = [];
    if (lines.some((l) => l.estimate)) columns.push("standard_error");
    for (let i = 0; i < this.rows.n; i++) {
      if (this.x(i) < low || this.x(i) > high) continue;
      rows.push(columns.map((name) => this.at(name === "standard_error" ? "log_z_stderr" : name, i)));
    }
    const estimates = lines.some((l) => l.estimate) && this.estimates ? this.estimates.shape[0] : 0;
    for (let i = 0; i < estimates; i++) {
      const [step, train, valid, test, error] = this.estimates.subarray(5 * i, 5 * i + 5);
      const known = { step, log_likelihood_train: train, log_likelihood_valid: valid, log_likelihood_test: test, standard_error: error };
      rows.push(columns.map((name) => (name in known ? known[name] : NaN)));
    }
    return { columns, rows };
  }

  at(column, row) {
    const c = this.rows.place[column];
    return c === undefined ? NaN : this.rows.data[row * this.rows.columns.length + c];
  }
  xColumn() { return this.axis === "time" ? "seconds" : this.axis; }
  x(row) { return this.at(this.xColumn(), row); }
  // A step that lies between two recorded rows, on the chosen axis.
  xOfStep(step) {
    if (this.axis === "step") return step;
    if (this.axis === "epoch") return step / this.perEpoch;
    const row = this.rowOf("step", step);
    if (row < 0) return NaN;
    const a = this.at("step", row), s = this.at("seconds", row);
    if (row + 1 >= this.rows.n || step <= a) return s;
    const f = (step - a) / (this.at("step", row + 1) - a);
    return s + f * (this.at("seconds", row + 1) - s);
  }
  rowOf(column, value) { // the last row whose column is not above value
    let low = 0, high = this.rows.n - 1;
    if (high < 0) return -1;
    while (low < high) {
      const mid = (low + high + 1) >> 1;
      if (this.at(column, mid) <= value) low = mid; else high = mid - 1;
    }
    return low;
  }

  series(line) {
    const { n } = this.rows, c = this.rows.place[line.column];
    const width = this.rows.columns.length, raw = new Float64Array(n).fill(NaN);
    let seen = this.points(line).length > 0;
    for (let i = 0; i < n && c !== undefined; i++) {
      raw[i] = this.rows.data[i * width + c];
      if (!Number.isNaN(raw[i])) seen = true;
    }
    return seen ? { ...line, raw, soft: this.smooth ? soften(raw, this.smooth) : raw, band: line.estimate ? this.band(raw) : [] } : null;
  }

  // Estimates of log Z made now and then: [step, nats, standard error].
  points(line) {
    const out = [];
    if (!line.estimate || !this.estimates) return out;
    const [m, k] = this.estimates.shape;
    for (let i = 0; i < m; i++) {
      const y = this.estimates[i * k + line.estimate], e = this.estimates[i * k + k - 1];
      if (Number.isFinite(y)) out.push([this.estimates[i * k], y, Number.isFinite(e) ? e : 0]);
    }
    return out;
  }

  xSpan() {
    const { n } = this.rows;
    if (!n) return [0, 1];
    if (this.zoom) return this.zoom;
    // The state shown may be newer than the last recorded row: then the frame reaches as far.
    const low = this.x(0), last = this.x(n - 1), shown = this.cursor === null || this.cursor === undefined ? last : this.xOfStep(this.cursor);
    const high = shown > last ? shown : last;
    return [low, high > low ? high : low + 1];
  }

  // Screen position of x; log keeps a step 0 by counting from one unit below the first row after it.
  scaleX(left, right) {
    const [low, high] = this.xSpan();
    if (!this.logX) return { to: (x) => left + ((x - low) / (high - low)) * (right - left),
      from: (p) => low + ((p - left) / (right - left)) * (high - low), ticks: ticks(low, high, (right - left) / 90) };
    const unit = Math.max(this.rows.n > 1 ? this.x(1) : 1, 1e-9);
    const f = (x) => Math.log10(Math.max(x, 0) + unit), g = (u) => 10 ** u - unit;
    const a = f(low), b = f(high), marks = [];
    for (let e = Math.floor(Math.log10(unit)); e <= Math.log10(high) + 1; e++) {
      for (const m of (b - a > 3.5 ? [1] : [1, 3])) if (m * 10 ** e >= Math.max(low, unit * 0.99) && m * 10 ** e <= high) marks.push(m * 10 ** e);
    }
    return { to: (x) => left + ((f(x) - a) / (b - a)) * (right - left), from: (p) => g(a + ((p - left) / (right - left)) * (b - a)), ticks: marks };
  }

  scaleY(panel, lines, first, last, top, bottom) {
    const all = [];
    for (const line of lines) for (let i = first; i <= last; i++) {
      const y = line.soft[i];
      if (Number.isFinite(y) && (!panel.log || y > 0)) all.push(y);
    }
    for (const line of lines) for (const [, y, e] of [...this.points(line), ...line.band]) all.push(y - e, y + e);
    if (panel.guide) all.push(panel.guide);
    if (!all.length) return null;
    all.sort((a, b) => a - b);
    const q = (p) => all[Math.round(p * (all.length - 1))];
    let low = all[0], high = all[all.length - 1];
    // The first steps can be far off everything that follows: then the frame is the bulk, and lines leave it.
    if (!panel.log && !panel.zero && all.length > 40 && high - low > 6 * (q(0.97) - q(0.03))) {
      const newest = lines.map((l) => l.soft[last]).filter(Number.isFinite);
      low = Math.min(q(0.03), ...newest);
      high = Math.max(q(0.97), ...newest);
    }
    if (panel.log) { low = Math.log10(low); high = Math.log10(high); }
    if (panel.zero) { low = Math.min(0, low); high = Math.max(0, high); }
    if (high - low < 1e-12) { const d = Math.abs(high) * 0.05 || 1; low -= d; high += d; }
    const pad = 0.06 * (high - low);
    low -= panel.zero && low === 0 ? 0 : pad;
    high += pad;
    const f = panel.log ? (y) => (y > 0 ? Math.log10(y) : NaN) : (y) => y;
    const marks = panel.log
      ? ticks(low, high, 4).filter((t) => Number.isInteger(t)).map((t) => 10 ** t)
      : ticks(low, high, (bottom - top) / 34);
    const logMarks = panel.log && marks.length < 2 ? ticks(10 ** low, 10 ** high, 3) : marks;
    return { to: (y) => bottom - ((f(y) - low) / (high - low)) * (bottom - top), ticks: logMarks };
  }

  draw() {
    if (!this.ink) return;
    const group = GROUPS[this.group], em = textScale(), width = Math.floor(this.root.clientWidth / em), height = Math.round(Math.min(420, Math.max(270, 0.42 * width)));
    if (!width) return;
    for (const tab of this.tabs.children) tab.setAttribute("aria-selected", tab.dataset.key === this.group);
    this.note.textContent = group.note;
    this.reset.hidden = !this.zoom;
    const ctx = sharpen(this.canvas, width, height, em);
    ctx.font = `12px ${this.ink.font}`;
    const { n } = this.rows;
    this.canvas.setAttribute("aria-label", `${group.label}: ${n} recorded rows. Drag to zoom, double-click for the whole run, click to go to that moment; or the arrow keys to read values, Enter to go there.`);
    if (!n) {
      ctx.fillStyle = this.ink.text;
      ctx.textAlign = "center";
      const words = this.version === undefined ? "The curves are on their way …" : this.alive ? "The first point arrives within seconds." : "This run has recorded no curves.";
      ctx.fillText(words, width / 2, height / 2);
      this.legend.replaceChildren();
      this.legendKey = null; // built anew with the first point
      return;
    }
    const left = MARGIN.left, right = width - MARGIN.right;
    const sx = this.scaleX(left, right - 8), [low, high] = this.xSpan();
    const first = Math.max(0, this.rowOf(this.xColumn(), low)), last = Math.min(n - 1, this.rowOf(this.xColumn(), high) + 1);
    const panels = group.panels.map((p) => ({ ...p, lines: p.lines.map((l) => this.series(l)).filter(Boolean) })).filter((p) => p.lines.length);
    const room = height - MARGIN.top - MARGIN.bottom - MARGIN.between * Math.max(0, panels.length - 1);
    const shares = panels.reduce((s, p) => s + p.share, 0) || 1;
    let top = MARGIN.top + 12;
    this.frames = [];
    for (const panel of panels) {
      const bottom = top + (room * panel.share) / shares - 12;
      this.panel(ctx, panel, sx, first, last, left, right, top, bottom);
      this.frames.push({ top, bottom });
      top = bottom + MARGIN.between + 12;
    }
    if (!panels.length) {
      ctx.fillStyle = this.ink.text;
      ctx.textAlign = "center";
      ctx.fillText("This run has recorded nothing for these curves.", width / 2, height / 2);
    }
    this.sx = sx;
    this.panels = panels;
    this.horizontal(ctx, sx, left, right, height);
    this.marks(ctx, sx, left, right);
    this.fillLegend(panels);
  }

  panel(ctx, panel, sx, first, last, left, right, top, bottom) {
    const shown = panel.lines.filter((l) => !this.hidden.has(l.column));
    const sy = this.scaleY(panel, shown.length ? shown : panel.lines, first, last, top, bottom);
    const { ink } = this;
    ctx.fillStyle = ink.text;
    ctx.globalAlpha = 0.75;
    ctx.textAlign = "left";
    ctx.fillText(panel.title, left, top - 7);
    ctx.globalAlpha = 1;
    ctx.strokeStyle = ink.line;
    ctx.lineWidth = 1;
    if (sy) for (const t of sy.ticks) {
      const y = Math.round(sy.to(t)) + 0.5;
      if (y < top - 1 || y > bottom + 1) continue;
      ctx.globalAlpha = 0.6;
      ctx.beginPath();
      ctx.moveTo(left, y);
      ctx.lineTo(right, y);
      ctx.stroke();
      ctx.globalAlpha = 0.75;
      ctx.textAlign = "right";
      ctx.fillText(pretty(t), left - 7, y + 4);
    }
    ctx.globalAlpha = 1;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top - 1, right - left, bottom - top + 2);
    ctx.clip();
    if (sy && panel.guide) {
      ctx.strokeStyle = ink.text;
      ctx.globalAlpha = 0.5;
      ctx.setLineDash([5, 5]);
      ctx.beginPath();
      ctx.moveTo(left, sy.to(panel.guide));
      ctx.lineTo(right, sy.to(panel.guide));
      ctx.stroke();
      ctx.setLineDash([]);
    }
    if (sy) for (const line of shown) {
      ctx.strokeStyle = ctx.fillStyle = ink.lines[line.colour];
      this.drawBand(ctx, line, sx, sy);
      if (this.smooth) {
        ctx.globalAlpha = 0.25;
        ctx.lineWidth = 1;
        this.stroke(ctx, line.raw, sx, sy, first, last, right - left);
      }
      ctx.globalAlpha = 1;
      ctx.lineWidth = 1.8;
      ctx.setLineDash(line.dash || []);
      this.stroke(ctx, line.soft, sx, sy, first, last, right - left);
      ctx.setLineDash([]);
      this.drawPoints(ctx, line, sx, sy);
    }
    ctx.restore();
    if (sy && this.hover !== null) for (const line of shown) {
      const y = sy.to(line.soft[this.hover]);
      if (!(y >= top && y <= bottom)) continue;
      ctx.fillStyle = ink.lines[line.colour];
      ctx.beginPath();
      ctx.arc(sx.to(this.x(this.hover)), y, 3.5, 0, 7);
      ctx.fill();
    }
  }

  // One polyline; where several rows share a pixel column, its lowest and highest are both drawn.
  stroke(ctx, values, sx, sy, first, last, pixels) {
    const sparse = last - first < 3 * pixels;
    ctx.beginPath();
    let pen = false, column = NaN, low = NaN, high = NaN;
    const put = (x, y) => { if (pen) ctx.lineTo(x, y); else ctx.moveTo(x, y); pen = true; };
    let lone = 0;
    for (let i = first; i <= last; i++) {
      const y = sy.to(values[i]);
      if (!Number.isFinite(y)) { if (sparse && this.gapBreaks(values, i)) pen = false; continue; }
      const x = sx.to(this.x(i));
      lone++;
      if (sparse) { put(x, y); continue; }
      const now = Math.round(x);
      if (now !== column) {
        if (Number.isFinite(column)) { put(column, low); put(column, high); }
        column = now; low = high = y;
      } else { low = Math.min(low, y); high = Math.max(high, y); }
    }
    if (!sparse && Number.isFinite(column)) { put(column, low); put(column, high); }
    ctx.stroke();
    if (lone > 0 && lone < 12) for (let i = first; i <= last; i++) { // a few points are shown as points
      const y = sy.to(values[i]);
      if (!Number.isFinite(y)) continue;
      ctx.beginPath();
      ctx.arc(sx.to(this.x(i)), y, 2.6, 0, 7);
      ctx.fill();
    }
  }
  // Columns estimated now and then (log-likelihood) are joined across the rows between estimates.
  gapBreaks(values, i) { return i > 0 && i + 1 < values.length && Number.isFinite(values[i - 1]) && Number.isFinite(values[i + 1]); }

  // A log-likelihood followed during training, where its error is known: [x, nats, standard error].
  band(raw) {
    const rows = [];
    for (let i = 0; i < raw.length; i++) {
      const e = this.at("log_z_stderr", i);
      if (Number.isFinite(e) && Number.isFinite(raw[i])) rows.push([this.x(i), raw[i], e]);
    }
    return rows;
  }
  drawBand(ctx, line, sx, sy) {
    const rows = line.band;
    if (rows.length < 2) return;
    ctx.globalAlpha = 0.2;
    ctx.beginPath();
    for (const [x, y, e] of rows) ctx.lineTo(sx.to(x), sy.to(y + e));
    for (const [x, y, e] of [...rows].reverse()) ctx.lineTo(sx.to(x), sy.to(y - e));
    ctx.fill();
    ctx.globalAlpha = 1;
  }

  drawPoints(ctx, line, sx, sy) {
    for (const [step, y, e] of this.points(line)) {
      const x = sx.to(this.xOfStep(step));
      ctx.beginPath();
      ctx.arc(x, sy.to(y), 4, 0, 7);
      ctx.fill();
      ctx.lineWidth = 1.5;
      ctx.beginPath();
      for (const end of [y - e, y + e]) { ctx.moveTo(x - 4, sy.to(end)); ctx.lineTo(x + 4, sy.to(end)); }
      ctx.moveTo(x, sy.to(y - e));
      ctx.lineTo(x, sy.to(y + e));
      ctx.stroke();
    }
  }

  horizontal(ctx, sx, left, right, height) {
    ctx.fillStyle = this.ink.text;
    ctx.globalAlpha = 0.75;
    ctx.textAlign = "center";
    const y = (this.frames.length ? this.frames[this.frames.length - 1].bottom : height - 40) + 16;
    for (const t of sx.ticks) {
      const p = sx.to(t);
      if (p >= left - 1 && p <= right + 1) ctx.fillText(pretty(t), Math.min(p, right - 8), y);
    }
    if (this.hover === null) ctx.fillText(AXES[this.axis] + (this.logX ? " (log)" : ""), (left + right) / 2, y + 16);
    ctx.globalAlpha = 1;
    if (this.hover !== null) this.sayMoment(ctx, sx, right, y + 16);
  }
  // Which moment the pointer is at, in place of the axis title: nothing covers the curves.
  sayMoment(ctx, sx, right, y) {
    const i = this.hover, x = sx.to(this.x(i));
    const here = this.events.filter((e) => Math.abs(sx.to(this.xOfStep(e.step)) - x) < 5).map((e) => e.label);
    const words = [`step ${pretty(this.at("step", i))}`, `epoch ${pretty(this.at("epoch", i), 3)}`, clock(this.at("seconds", i)), ...new Set(here)].join(" · ");
    const half = ctx.measureText(words).width / 2;
    ctx.fillText(words, Math.min(Math.max(x, half), right + MARGIN.right - half), y);
  }

  marks(ctx, sx, left, right) {
    if (!this.frames.length) return;
    const top = this.frames[0].top, bottom = this.frames[this.frames.length - 1].bottom;
    const rule = (x, colour, dash, wide) => {
      if (!(x >= left - 1 && x <= right + 1)) return;
      ctx.strokeStyle = colour;
      ctx.lineWidth = wide;
      ctx.setLineDash(dash);
      ctx.beginPath();
      ctx.moveTo(x, top);
      ctx.lineTo(x, bottom);
      ctx.stroke();
      ctx.setLineDash([]);
    };
    for (const event of this.events) rule(Math.round(sx.to(this.xOfStep(event.step))) + 0.5, this.ink.lines.purple, [2, 4], 1);
    if (this.cursor !== null && this.cursor !== undefined) {
      const x = sx.to(this.xOfStep(this.cursor));
      rule(x, this.ink.accent, [], 1.5);
      if (x >= left - 1 && x <= right + 1) {
        ctx.fillStyle = this.ink.accent;
        ctx.beginPath();
        ctx.moveTo(x - 5, top - 6);
        ctx.lineTo(x + 5, top - 6);
        ctx.lineTo(x, top + 1);
        ctx.fill();
      }
    }
    if (this.hover !== null) rule(sx.to(this.x(this.hover)), this.ink.text, [], 0.7);
    if (this.drag && Math.abs(this.drag.to - this.drag.from) > 3) {
      ctx.fillStyle = this.ink.accent;
      ctx.globalAlpha = 0.15;
      ctx.fillRect(Math.min(this.drag.from, this.drag.to), top, Math.abs(this.drag.to - this.drag.from), bottom - top);
      ctx.globalAlpha = 1;
    }
  }

  // The legend shows each line's value at the pointer, else at the moment of the slider.
  fillLegend(panels) {
    const lines = panels.flatMap((p) => p.lines);
    const key = lines.map((l) => l.column).join() + this.dark;
    if (this.legendKey !== key) {
      this.legendKey = key;
      this.legend.replaceChildren(...lines.map((line) => {
        const swatch = el("span", { class: line.dash ? "swatch dashed" : "swatch" });
        swatch.style.color = this.ink.lines[line.colour];
        const button = el("button", { class: "key", title: "Show or hide this curve", onclick: () => {
          if (this.hidden.has(line.column)) this.hidden.delete(line.column); else this.hidden.add(line.column);
          this.draw();
        } }, swatch, el("span", {}, line.label), el("span", { class: "value" }));
        button.dataset.column = line.column;
        return button;
      }));
    }
    const row = this.hover !== null ? this.hover : this.cursor === null || this.cursor === undefined ? this.rows.n - 1 : this.rowOf("step", this.cursor);
    for (const button of this.legend.children) {
      let value = NaN;
      for (let i = row; i >= Math.max(0, row - 400) && Number.isNaN(value); i--) value = this.at(button.dataset.column, i);
      if (Number.isNaN(value)) { // else the newest estimate that is not later
        const line = lines.find((l) => l.column === button.dataset.column);
        const now = this.hover === null && this.cursor !== null && this.cursor !== undefined ? this.cursor : this.at("step", Math.max(row, 0));
        for (const [step, y] of this.points(line)) if (step <= now || Number.isNaN(value)) value = y;
      }
      button.lastChild.textContent = this.values[button.dataset.column] = pretty(value);
      button.classList.toggle("off", this.hidden.has(button.dataset.column));
      button.setAttribute("aria-pressed", String(!this.hidden.has(button.dataset.column)));
    }
  }

  listen() {
    const { canvas } = this;
    const place = (event) => (event.clientX - canvas.getBoundingClientRect().left) / textScale();
    const nearest = (p) => {
      const x = this.sx.from(p), row = this.rowOf(this.xColumn(), x);
      return row + 1 < this.rows.n && Math.abs(this.x(row + 1) - x) < Math.abs(this.x(row) - x) ? row + 1 : row;
    };
    canvas.addEventListener("pointermove", (event) => {
      if (!this.sx || !this.rows.n) return;
      const p = place(event);
      if (this.drag) this.drag.to = Math.min(Math.max(p, MARGIN.left), canvas.clientWidth / textScale() - MARGIN.right);
      this.hover = p < MARGIN.left - 4 ? null : nearest(p);
      this.draw();
    });
    canvas.addEventListener("pointerleave", () => {
      if (this.drag) return;
      this.hover = null;
      this.draw();
    });
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.sx || event.button) return;
      canvas.setPointerCapture(event.pointerId);
      const p = Math.max(place(event), MARGIN.left);
      this.drag = { from: p, to: p };
    });
    canvas.addEventListener("pointerup", () => {
      const { drag } = this;
      this.drag = null;
      if (!drag) return;
      const [a, b] = [drag.from, drag.to].sort((u, v) => u - v);
      if (b - a > 8) this.zoom = [this.sx.from(a), this.sx.from(b)];
      else if (this.rows.n) {
        const step = this.at("step", nearest(a));
        window.dispatchEvent(new CustomEvent("rbm-goto", { detail: { step } }));
      }
      this.draw();
    });
    canvas.addEventListener("dblclick", () => { this.zoom = null; this.draw(); });
    canvas.addEventListener("blur", () => { this.hover = null; this.draw(); });
    canvas.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { this.zoom = this.hover = null; this.draw(); }
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by && this.rows.n) { // the pointer's work without one: read the values, go to the moment
        event.preventDefault();
        const here = this.hover ?? (this.cursor === null || this.cursor === undefined ? this.rows.n - 1 : this.rowOf("step", this.cursor));
        this.hover = Math.min(this.rows.n - 1, Math.max(0, here + by * (event.shiftKey ? 10 : 1)));
        this.draw();
      }
      if (event.key === "Enter" && this.hover !== null) {
        window.dispatchEvent(new CustomEvent("rbm-goto", { detail: { step: this.at("step", this.hover) } }));
      }
    });
  }
}

// Exponential running average, corrected for its start, as TensorBoard draws it; rows without a value are passed over.
function soften(raw, weight) {
  const out = new Float64Array(raw.length);
  let mean = 0, norm = 0;
  for (let i = 0; i < raw.length; i++) {
    if (!Number.isFinite(raw[i])) { out[i] = NaN; continue; }
    mean = weight * mean + (1 - weight) * raw[i];
    norm = weight * norm + (1 - weight);
    out[i] = mean / norm;
  }
  return out;
}

export default (component) => show(component, Curves);
