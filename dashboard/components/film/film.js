import { pixelRatio, savingNow, textScale } from "../lib/canvas.js";
import { el } from "../lib/dom.js";
import { clamp, pretty, sigmoid, ticks } from "../lib/numbers.js";
import { PALETTE } from "../lib/palette.js";
import { saveButtons, sourceOf } from "../lib/save.js";
import { colourTable, rgbOf } from "../lib/theme.js";
import { show, View } from "../lib/view.js";
import { halfToFloat } from "../lib/blob.js";
// The film player: one bit-packed blob in, everything else happens here, without a rerun of the page.
//
// A film of S sweeps has 2S + 1 frames. Frame 0 is the start. Frame 2t − 1 is the first half of sweep t
// (hidden units drawn from the picture), frame 2t its second half (pixels drawn from the hidden units).
// States and free energies come from the engine; probabilities are computed here from the very weights
// the chain was run with: the blob carries them in the snapshot's own half precision.

const SLIM = 768; // css pixels: in windows up to here the sidebar lies over the page, and is shut at first
const SPEED = 8; // half steps a second
const row = (...parts) => `<mrow>${parts.join("")}</mrow>`;
const LOGITS = {
  h: (gain) => row("<mi>c</mi><mo>+</mo><mi>v</mi>", gain ? `<msup><mi>Σ</mi>${row("<mo>−</mo><mn>1</mn>")}</msup>` : "", "<mi>W</mi>"),
  v: () => row("<mi>b</mi><mo>+</mo><mi>h</mi><msup><mi>W</mi><mi>T</mi></msup>"),
};


/** What the engine recorded, and the two conditionals worked out from its weights. */
class Film {
  constructor({ header, arrays }) {
    Object.assign(this, header);
    this.a = arrays;
    this.last = 2 * this.n_sweeps;
    this.per = this.n_chains / this.groups.length;
    this.machines = new Map();
    this.memory = new Map();
    this.greys = new Map();
  }
  /** Where it comes from, in words: of which moments, where several run side by side. */
  get source() {
    return this.steps.length ? { ...this.of, step: null, more: `steps ${this.steps.map((step) => pretty(step)).join(", ")} side by side · ${this.of.more}` } : this.of;
  }
  /** The group of chains that a chain belongs to: groups run side by side, from the same start. */
  groupOf(chain) { return Math.floor(chain / this.per); }
  betaOf(chain, t) { return this.a.beta[this.groupOf(chain) * this.n_sweeps + Math.max(0, t - 1)]; }
  /** The weights that made sweep t of a chain, both ways round; half precision is exact in single. */
  machineOf(chain, t) {
    const number = this.a.machine[this.groupOf(chain) * this.n_sweeps + Math.max(0, t - 1)];
    let machine = this.machines.get(number);
    if (!machine) {
      const { n_visible: V, n_hidden: H } = this, cut = (x, n) => x.subarray(number * n, (number + 1) * n);
      const W = halfToFloat(cut(this.a.W, V * H)), WT = new Float32Array(V * H);
      for (let i = 0; i < V; i++) for (let j = 0; j < H; j++) WT[j * V + i] = W[i * H + j];
      machine = { W, WT, vbias: cut(this.a.vbias, V), hbias: cut(this.a.hbias, H), gain: this.a.h_gain && cut(this.a.h_gain, V) };
      this.machines.set(number, machine);
    }
    return machine;
  }
  layer(bits, halves, first, t, chain, n, out) {
    if (t === 0 && first) return this.fromHalves(first, chain * n, n, out);
    if (halves) return this.fromHalves(halves, (t * this.n_chains + chain) * n, n, out);
    const bytes = (n + 7) >> 3, at = (t * this.n_chains + chain) * bytes;
    for (let i = 0; i < n; i++) out[i] = (bits[at + (i >> 3)] >> (7 - (i & 7))) & 1;
    return out;
  }
  fromHalves(source, at, n, out) {
    const values = halfToFloat(source.subarray(at, at + n));
    out.set(values);
    return out;
  }
  /** v after t sweeps; t = 0 is the start. */
  v(t, chain, out = new Float32Array(this.n_visible)) {
    return this.layer(this.a.v_bits, this.a.v_half, this.a.v_start, t, chain, this.n_visible, out);
  }
  /** h of sweep t ≥ 1. */
  h(t, chain, out = new Float32Array(this.n_hidden)) {
    return this.layer(this.a.h_bits, this.a.h_half, null, t - 1, chain, this.n_hidden, out);
  }
  /** p(h|v) that h of sweep t was drawn from. */
  meanH(t, chain) { 
    return this.remember("h", t, chain, () => {
      const m = this.machineOf(chain, t);
      return this.conditional(this.v(t - 1, chain), m.W, m.hbias, m.gain, this.betaOf(chain, t));
    });
  }
  /** p(v|h) that v after sweep t was drawn from; the start was drawn from nothing, so it stands for itself. */
  meanV(t, chain) {
    if (t === 0) return this.v(0, chain);
    return this.remember("v", t, chain, () => {
      const m = this.machineOf(chain, t);
      const p = this.conditional(this.h(t, chain), m.WT, m.vbias, null, this.betaOf(chain, t), this.visible === "gaussian");
      if (this.a.held) {
        const start = this.v(0, chain);
        for (let i = 0; i < p.length; i++) if (this.isHeld(i)) p[i] = start[i];
      }
      return p;
    });
  }
  isHeld(i) { return this.a.held && (this.a.held[i >> 3] >> (7 - (i & 7))) & 1; }
  remember(what, t, chain, work) {
    const key = (t * this.n_chains + chain) * 2 + (what === "h" ? 1 : 0);
    let value = this.memory.get(key);
    if (!value) {
      if (this.memory.size > 4000) this.memory.clear();
      value = work();
      this.memory.set(key, value);
    }
    return value;
  }
  conditional(source, weights, bias, gain, beta, linear = false) {
    const n = bias.length, out = new Float32Array(bias);
    for (let i = 0; i < source.length; i++) {
      const s = gain ? source[i] * gain[i] : source[i];
      if (s === 0) continue;
      const at = i * n;
      if (s === 1) for (let j = 0; j < n; j++) out[j] += weights[at + j];
      else for (let j = 0; j < n; j++) out[j] += s * weights[at + j];
    }
    if (linear) return out;
    for (let j = 0; j < n; j++) out[j] = sigmoid(beta * out[j]);
    return out;
  }
  /** One cell of the grid: 256 shades of a layer. Probabilities of many chains come by way of tables. */
  shades(what, frame, chain) {
    const t = frame >> 1;
    if (what !== "pv" || t === 0 || !this.a.h_bits || this.visible === "gaussian") {
      const values = this.show(what, frame, chain);
      if (!values) return null;
      const out = this.spare(values.length);
      for (let i = 0; i < out.length; i++) out[i] = clamp(values[i], 0, 1) * 255 + 0.5;
      return out;
    }
    const key = t * this.n_chains + chain;
    let out = this.greys.get(key);
    if (!out) {
      if (this.greys.size > 16000) this.greys.clear();
      this.greys.set(key, (out = this.quickMeanV(t, chain)));
    }
    return out;
  }
  spare(n) { return this.board?.length === n ? this.board : (this.board = new Uint8Array(n)); }
  /** p(v|h) in 256 shades. All 16 sums of every four rows of W are made once; a chain then adds a quarter of
      as many rows as it has hidden units, whichever of them are on. */
  quickMeanV(t, chain) {
    const n = this.n_visible, groups = Math.ceil(this.n_hidden / 4), bytes = (this.n_hidden + 7) >> 3;
    const machine = this.machineOf(chain, t);
    if (!machine.sums) {
      const sums = (machine.sums = new Float32Array(groups * 16 * n));
      for (let g = 0; g < groups; g++) for (let k = 1; k < 16; k++) {
        const at = (g * 16 + k) * n, low = k & -k, rest = (g * 16 + (k ^ low)) * n, row = (g * 4 + 3 - Math.log2(low)) * n;
        if (row < machine.WT.length) for (let i = 0; i < n; i++) sums[at + i] = sums[rest + i] + machine.WT[row + i];
      }
    }
    // σ in 4,096 steps of 1/128 of a logit: finer than a shade.
    this.sigmoids ??= Uint8Array.from({ length: 4096 }, (_, i) => 255 * sigmoid((i - 2048) / 128) + 0.5);
    this.logits ??= new Float32Array(n);
    const { sums } = machine, { logits, sigmoids } = this, bits = this.a.h_bits, from = ((t - 1) * this.n_chains + chain) * bytes;
    const row = (g) => (g < groups ? g * 16 + (g & 1 ? bits[from + (g >> 1)] & 15 : bits[from + (g >> 1)] >> 4) : 0) * n;
    logits.set(machine.vbias);
    for (let g = 0; g < groups; g += 4) {
      const a = row(g), b = row(g + 1), c = row(g + 2), d = row(g + 3);
      for (let i = 0; i < n; i++) logits[i] += sums[a + i] + sums[b + i] + sums[c + i] + sums[d + i];
    }
    const out = new Uint8Array(n), scale = 128 * this.betaOf(chain, t);
    for (let i = 0; i < n; i++) out[i] = sigmoids[clamp((logits[i] * scale + 2048.5) | 0, 0, 4095)];
    if (this.a.held) for (let i = 0; i < n; i++) if (this.isHeld(i)) out[i] = this.v(0, chain)[i] * 255;
    return out;
  }
  /** What one layer shows at a frame, or null where it has not been drawn yet. */
  show(what, frame, chain) {
    const tv = frame >> 1, th = (frame + 1) >> 1;
    if (what === "v") return this.picture(this.v(tv, chain));
    if (what === "pv") return this.picture(this.meanV(tv, chain));
    if (th === 0) return null;
    return what === "h" ? this.h(th, chain) : this.meanH(th, chain);
  }
  /** The curve of a name: a value a chain after every `every`-th sweep; null where it is not known (yet). */
  curve(name) {
    const data = { energy: this.a.free_energy, distance: this.a.distance, nearest: this.a.near_distance }[name];
    return data ? { data, every: name === "nearest" ? this.nearest.every : 1 } : null;
  }
  /** The value of a curve after t sweeps, or at the last sweep before for which it is known. */
  value(name, t, chain) {
    const { data, every } = this.curve(name);
    return data[Math.floor(t / every) * this.n_chains + chain];
  }
  /** The training image nearest to a chain after t sweeps: its number, label (255: none), bits, and the sweep meant. */
  nearestTo(t, chain) {
    const { every } = this.nearest, number = this.a.near_number[Math.floor(t / every) * this.n_chains + chain];
    const bytes = this.a.near_bits.shape[1];
    let low = 0, high = this.a.near_numbers.length - 1;
    while (low < high) { const middle = (low + high) >> 1; if (this.a.near_numbers[middle] < number) low = middle + 1; else high = middle; }
    const bits = this.a.near_bits.subarray(low * bytes, (low + 1) * bytes);
    return { number, label: this.a.near_labels[low], sweep: t - (t % every), on: (i) => (bits[i >> 3] >> (7 - (i & 7))) & 1 };
  }
  /** Grey values from the values of Gaussian units, which stand for standardised pixels. */
  picture(v) {
    const { pixel_mean: mean, pixel_std: std } = this.a;
    return mean ? v.map((x, i) => mean[i] + std[i] * x) : v;
  }
  /** What a layer is called. Gaussian pixels have a mean where others have a probability. */
  called(what) { return { pv: this.visible === "gaussian" ? "E(v|h)" : "p(v|h)", v: "v", ph: "p(h|v)", h: "h" }[what]; }
  /** Whether any sweep ran at another temperature than 1. */
  get heated() { return this.a.beta.some((beta) => Math.abs(beta - 1) > 1e-6); }
  shape(what) {
    if (what === "v" || what === "pv") return this.image_shape;
    const columns = Math.ceil(Math.sqrt(this.n_hidden));
    return [Math.ceil(this.n_hidden / columns), columns];
  }
}

class Player extends View {
  constructor(root) { super(root);
    this.box = root.firstElementChild;
    this.$ = (s) => this.box.querySelector(s);
    this.frame = 0;
    this.chain = 0;
    this.mode = "both";
    this.gridLayer = "pv";
    this.playing = false;
    this.speed = SPEED;
    this.hover = null;
    this.drawn = 0;
    this.furnish();
    this.panels = Object.fromEntries([...this.box.querySelectorAll(".panel")].map((p) => [p.dataset.panel, p]));
    this.listen();
  }

  /** What can be taken away of each figure, as base.js asks for it. */
  furnish() {
    const of = () => ({ ...this.film.source, more: `${this.film.source.more} · ${this.whereWords()}` });
    const canvas = (selector) => this.$(selector);
    const groups = () => (this.film.groups.length > 1 ? this.film.groups.map((name, g) => [this.css(this.groupInks[g]), name]) : []);
    const lines = () => (this.film.groups.length > 1 ? groups() : [[this.css(this.mine), this.nameOf(this.chain)], ...(this.film.n_chains > 1 ? [[this.css(this.text, 0.4), "the other chains"]] : [])]);
    const curve = (name) => ({
      picture: () => this.film.curve(name) && { title: this.titleOf(name), name, of: of(), rows: [[canvas(`.curve.${name} canvas`)]], legend: lines(), note: this.$(`.curve.${name} .what`).textContent },
      table: () => this.curveTable(name),
    });
    const figures = {
      chains: {
        picture: () => ({ title: `Every chain: ${this.film.called(this.gridLayer)}`, name: `chains-frame-${this.frame}`, of: of(), rows: [[canvas(".grid")]], legend: groups() }),
        table: () => this.chainsTable(),
      },
      cycle: {
        picture: () => ({ title: this.$('[data-figure="cycle"] b').textContent, name: `${this.nameOf(this.chain)}-frame-${this.frame}`, of: of(), note: "pixels: black 0 to white 1; hidden units: black 0 to light blue 1",
          rows: [["v", "ph"], ["pv", "h"]].map((row) => row.map((what) => ({ canvas: this.panels[what].querySelector("canvas"), name: this.film.called(what) }))) }),
        table: () => this.cycleTable(),
      },
      energy: curve("energy"), distance: curve("distance"), nearest: curve("nearest"),
      map: {
        picture: () => this.film.map && { title: "Map of the hidden layer", name: "map", of: of(), rows: [[canvas(".map canvas")]], legend: lines(), note: this.$(".map .what").textContent },
        table: () => this.mapTable(),
      },
      twin: {
        picture: () => this.film.nearest && { title: this.$(".twin b").textContent, name: "nearest-image", of: of(), rows: [[...this.box.querySelectorAll(".tiles > div")].map((d) => ({ canvas: d.firstChild, name: d.lastChild.textContent }))], note: this.$(".twin .note").textContent },
      },
    };
    for (const head of this.box.querySelectorAll("[data-figure]")) {
      const player = this, figure = figures[head.dataset.figure];
      head.append(saveButtons({ ...figure, get ink() { return player.ink; }, draw: () => { this.arrange(); this.paintNow(); } }));
    }
  }
  /** A row a chain: its free energy and distances at the frame, and the values of its cell. */
  chainsTable() {
    const f = this.film, t = this.frame >> 1, known = f.curve("nearest"), what = this.gridLayer, rows = [];
    for (let k = 0; k < f.n_chains; k++) {
      const near = known ? [f.value("nearest", t, k), f.nearestTo(t, k).number] : [];
      rows.push([k % f.per + 1, f.groups[f.groupOf(k)], this.frame, f.value("energy", t, k), f.value("distance", t, k), ...near, ...(f.show(what, this.frame, k) ?? [])]);
    }
    const units = rows[0].length - 5 - (known ? 2 : 0);
    return { columns: ["chain", "group", "frame", "free_energy_nats", "distance_start", ...(known ? ["distance_nearest", "nearest_training_image"] : []), ...Array.from({ length: units }, (_, i) => `${what}_${i}`)], rows };
  }
  cycleTable() {
    const f = this.film, rows = [];
    for (const [layer, mean, state] of [["visible", "pv", "v"], ["hidden", "ph", "h"]]) {
      const p = layer === "visible" && this.frame < 2 ? null : f.show(mean, this.frame, this.chain);
      (f.show(state, this.frame, this.chain) ?? []).forEach((x, i) => rows.push([layer, i, p?.[i], x]));
    }
    return { columns: ["layer", "unit", "probability", "state"], rows };
  }
  curveTable(name) {
    const f = this.film, curve = f.curve(name);
    if (!curve) return null;
    const rows = [];
    for (let s = 0; s * curve.every <= f.n_sweeps; s++) rows.push([s * curve.every, ...curve.data.subarray(s * f.n_chains, (s + 1) * f.n_chains)]);
    return { columns: ["sweep", ...Array.from({ length: f.n_chains }, (_, k) => this.nameOf(k))], rows };
  }
  mapTable() {
    const f = this.film, t = this.frame >> 1, rows = [];
    for (let i = 0; i < f.a.map_labels.length; i++) rows.push(["training image", i, f.a.map_labels[i] < 255 ? f.a.map_labels[i] : "", f.a.map_points[2 * i], f.a.map_points[2 * i + 1]]);
    for (let k = 0; k < f.n_chains; k++) rows.push([`chain after sweep ${t}`, k + 1, "", f.a.map_path[2 * (t * f.n_chains + k)], f.a.map_path[2 * (t * f.n_chains + k) + 1]]);
    return { columns: ["what", "number", "class", "component_1", "component_2"], rows };
  }

  // --- input ---------------------------------------------------------------------------------
  listen() {
    this.stop = new AbortController();
    const on = (target, type, f, options = {}) => target.addEventListener(type, f, { signal: this.stop.signal, ...options });
    for (const b of this.box.querySelectorAll("[data-do]")) on(b, "click", () => this.act(b.dataset.do));
    for (const b of this.box.querySelectorAll("[data-show]")) on(b, "click", () => { this.mode = b.dataset.show; this.arrange(); this.leave(); });
    on(this.$(".layer"), "change", (e) => { this.gridLayer = e.target.value; this.arrange(); this.leave(); });
    this.$(".speed").value = String(this.speed);
    on(this.$(".speed"), "change", (e) => { this.speed = Number(e.target.value); });
    on(this.$(".scrub"), "input", (e) => { this.pause(); this.seek(Number(e.target.value)); });
    on(document, "keydown", (e) => this.key(e));
    const grid = this.$(".grid");
    on(grid, "click", (e) => { const c = this.chainAt(e); if (c !== null) this.choose(c); });
    on(grid, "pointermove", (e) => this.hoverGrid(e));
    on(grid, "pointerleave", () => this.hoverNothing());
    for (const [what, panel] of Object.entries(this.panels)) {
      const canvas = panel.querySelector("canvas");
      on(canvas, "pointermove", (e) => this.hoverCell(what, canvas, e));
      on(canvas, "pointerleave", () => this.hoverNothing());
    }
    for (const [name, canvas] of this.curveCanvases()) {
      on(canvas, "pointermove", (e) => this.hoverCurve(name, canvas, e));
      on(canvas, "pointerleave", () => this.hoverNothing());
      on(canvas, "pointerdown", (e) => {
        canvas.setPointerCapture(e.pointerId);
        this.pause();
        const { frame, chain } = this.curveAt(name, canvas, e);
        this.seek(frame);
        if (chain !== null) this.choose(chain);
      });
    }
    const map = this.$(".map canvas");
    on(map, "pointermove", (e) => this.hoverMap(map, e));
    on(map, "pointerleave", () => this.hoverNothing());
    on(map, "click", (e) => { const k = this.chainOnMap(map, e); if (k !== null) this.choose(k); });
    this.watcher = new ResizeObserver(() => this.arrange());
    this.watcher.observe(this.box);
    // What lies outside the window is not drawn until it comes into sight: frames are for what is looked at.
    this.hidden = new Set();
    this.sight = new IntersectionObserver((seen) => {
      for (const { target, isIntersecting } of seen) this.hidden[isIntersecting ? "delete" : "add"](target);
      this.refresh();
    });
    for (const figure of this.box.querySelectorAll("figure")) this.sight.observe(figure);
    on(window, "resize", () => this.arrange());
  }
  key(e) {
    if (!this.film || e.ctrlKey || e.metaKey || e.altKey || !this.box.isConnected) return;
    const at = e.composedPath()[0];
    const tag = at.tagName || "";
    const ours = this.box.contains(at);
    const walked = e.key.startsWith("Arrow") ? ',[role="radiogroup"],[data-testid="stButtonGroup"]' : ""; // arrows walk from button to button
    const busy = tag === "TEXTAREA" || tag === "SELECT" || at.isContentEditable || (tag === "INPUT" && !ours && !(at.type === "radio" && !walked))
      || (!ours && at.closest && at.closest(`[role="slider"],[role="combobox"],[role="listbox"],[role="tablist"],[role="dialog"]${walked}`));
    if (at === this.$(".grid") && e.key.startsWith("Arrow")) { // the grid has the keyboard: its arrows choose a chain
      const { per } = this.film, first = this.film.groupOf(this.chain) * per, step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.grid.columns, ArrowDown: this.grid.columns }[e.key];
      const to = this.chain - first + step;
      if (to >= 0 && to < per) this.choose(first + to);
      e.preventDefault();
      return;
    }
    if (busy || (e.key === " " && /^(BUTTON|A|SUMMARY|LABEL)$/.test(tag))) return;
    const act = { " ": "play", ArrowRight: e.shiftKey ? "sweepForward" : "forward", ArrowLeft: e.shiftKey ? "sweepBack" : "back", Home: "first", End: "last" }[e.key];
    if (!act) return;
    e.preventDefault();
    this.act(act);
  }
  /** On a small window the first press may find the pictures still below its edge: they are brought into sight. */
  bringIntoSight() {
    const stage = this.$(this.mode === "one" ? ".cycle" : ".cells"), { top, bottom } = stage.getBoundingClientRect();
    if (!this.narrow || top < 0 || bottom <= this.$(".controls").getBoundingClientRect().top) return;
    stage.scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  }
  act(what) {
    this.bringIntoSight();
    if (what === "fork") { this.pause(); this.ask("fork", Math.min(this.frame >> 1, this.film.n_sweeps - 1)); return; }
    if (what === "play") { if (this.playing) this.pause(); else this.play(); return; }
    this.pause();
    const to = { first: 0, last: this.film.last, back: this.frame - 1, forward: this.frame + 1, sweepBack: this.frame - 2, sweepForward: this.frame + 2 }[what];
    this.seek(to);
  }
  play() {
    if (this.frame >= this.film.last) this.seek(0);
    this.playing = true;
    this.setPlayButton();
    let before = performance.now(), owed = 0;
    const tick = (now) => {
      if (!this.playing || !this.box.isConnected) return;
      owed += Math.min(now - before, 250) * this.speed / 1000;
      before = now;
      const steps = Math.floor(owed);
      owed -= steps;
      if (steps) this.seek(this.frame + steps);
      if (this.frame >= this.film.last) { this.pause(); return; }
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }
  pause() {
    if (!this.playing) return;
    this.playing = false;
    this.setPlayButton();
    this.tell();
    this.leave();
  }
  /** Once the reader has settled, tell the page where, so that its link leads here. */
  leave() {
    clearTimeout(this.leaving);
    if (this.playing || !this.film) return;
    this.leaving = setTimeout(() => {
      const place = { frame: this.frame, chain: this.chain + 1, show: this.mode, layer: this.gridLayer }, text = JSON.stringify(place);
      if (this.playing || text === this.told || !this.box.isConnected) return;
      this.told = text;
      this.ask("place", place);
    }, 500);
  }
  setPlayButton() {
    const button = this.$('[data-do="play"]');
    button.querySelector("path").setAttribute("d", this.playing ? "M6 5h4v14H6zM14 5h4v14h-4z" : "M7 4.5v15L19.5 12z");
    button.querySelector(".word").textContent = this.playing ? "Pause" : "Play";
    button.setAttribute("aria-label", this.playing ? "Pause (space)" : "Play (space)");
    this.$(".sentence").setAttribute("aria-live", this.playing ? "off" : "polite");
  }
  seek(frame) {
    const to = clamp(Math.round(frame), 0, this.film.last);
    if (to === this.frame) return;
    this.frame = to;
    this.refresh();
    this.leave();
  }
  choose(chain) {
    this.chain = chain;
    this.curves = null;
    this.refresh();
    this.leave();
  }

  // --- data and theme ------------------------------------------------------------------------
  receive(blob) {
    if (this.stale(blob.header)) return;
    // Shown first; then the page may go on with what takes longer.
    if (blob.header.ask) { const { version } = blob.header; setTimeout(() => { if (this.version === version) this.ask("rest", version); }, 50); }
    if (blob.header.same) return;
    const film = new Film(blob), before = this.film, first = !before;
    this.film = film;
    if (first) { // the place the link names; afterwards the reader's own
      const { frame, chain, show, layer } = film.place;
      this.slim = film.slim;
      Object.assign(this, { frame, chain: chain - 1, mode: show, gridLayer: layer, told: JSON.stringify({ frame, chain, show, layer }) });
      this.$(".layer").value = layer;
    } else {
      const start = (f) => JSON.stringify([f.start, f.start_sentence]), key = (f) => JSON.stringify([f.of, f.groups, f.fork, start(f)]);
      if (key(film) !== key(before)) this.pause(); // else the same film, now with its map and nearest images
      if (start(film) !== start(before)) this.frame = 0; // another start is to be seen
    }
    this.chain = Math.min(this.chain, film.n_chains - 1);
    this.frame = Math.min(this.frame, film.last);
    if (!first) this.leave();
    this.$(".scrub").max = String(film.last);
    this.$(".caption").textContent = sourceOf(film.source);
    this.$(".labels").replaceChildren(...(film.groups.length > 1 ? film.groups.map((name) => el("span", { title: name }, name)) : []));
    this.ranges = new Map();
    this.box.classList.toggle("several", film.groups.length > 1);
    this.box.classList.toggle("mapped", Boolean(film.map || film.map_pending));
    this.box.classList.toggle("neared", Boolean(film.nearest || film.nearest_pending));
    this.$(".map .what").textContent = film.map ? `chains walk among ${film.map}` : "training images are being laid out: a few seconds, once";
    this.writeFormulas();
    this.nameFigures();
    this.hover = null;
    this.$(".tip").hidden = true;
  }
  titleOf(name) {
    return { energy: "Free energy F(v)", distance: `Distance to ${this.film.reference === "its own start" ? "the start" : this.film.reference}`, nearest: `Distance to the nearest ${this.known}` }[name];
  }
  /** What the nearest images are: training images, or probe images where the run's data are not at hand. */
  get known() { return this.film.nearest?.noun ?? "training image"; }
  nameFigures() {
    const f = this.film, what = (name, words) => { this.$(`[data-figure="${name}"] .what`).textContent = words; };
    const several = new Set(f.a.machine).size > 1;
    for (const name of ["energy", "distance", "nearest"]) this.$(`[data-figure="${name}"] b`).textContent = this.titleOf(name);
    what("energy", `nats, ${several ? "each chain in its own machine: levels of different machines do not compare" : "at temperature 1; one nat lower is e times likelier"}${f.band ? `; band: the middle 90 % of ${f.band.label}` : ""}`);
    what("distance", `how many of ${f.n_visible} pixels differ`);
    what("nearest", f.nearest ? `how many of ${f.n_visible} pixels differ; nearest of ${f.nearest.source}${f.nearest.every > 1 ? `, looked for after every ${f.nearest.every} sweeps` : ""}` : "every state is being held against every training image");
    this.$('[data-tile="known"] + small').textContent = this.known;
  }
  /** What each half step works out, as it stands on the arrows: with the temperature where there is one. */
  writeFormulas() {
    const f = this.film, gaussian = f.visible === "gaussian";
    // Not every reader has a font whose brackets grow with what they hold.
    const tall = (bracket) => `<mpadded voffset="-0.28em"><mo class="tall" stretchy="false" lspace="0" rspace="0">${bracket}</mo></mpadded>`;
    const law = (x) => row("<mi>σ</mi>", ...(f.heated ? [tall("("), `<mfrac>${x}<mi>T</mi></mfrac>`, tall(")")] : ["<mo>(</mo>", x, "<mo>)</mo>"]));
    this.$(".arrow.right math").innerHTML = law(LOGITS.h(f.a.h_gain));
    this.$(".arrow.left math").innerHTML = gaussian ? LOGITS.v() : law(LOGITS.v());
    this.$(".law").textContent = gaussian ? "E" : "p";
    for (const small of this.box.querySelectorAll(".arrow.up small, .arrow.down small")) small.textContent = f.mean_field ? "copy" : "draw";
    this.$(".scale .pixels").textContent = gaussian ? "grey" : "pixels";
  }
  /** What a cell can show; where there is little room the symbol alone says how it is meant. */
  nameLayers() {
    const f = this.film, state = f.mean_field ? "values" : "samples", mean = f.visible === "gaussian" ? "means" : "probabilities";
    for (const [what, units, kind] of [["pv", "pixels", mean], ["v", "pixels", state], ["ph", "hidden units", "probabilities"], ["h", "hidden units", state]])
      this.write(`.layer [value="${what}"]`, this.narrow ? `${units.split(" ")[0]}: ${f.called(what)}` : `${units}: ${kind} ${f.called(what)}`);
  }
  /** Called by the page's frame whenever data or theme change. */
  draw() {
    if (this.themed !== this.dark) this.theme();
    this.arrange();
  }
  theme() {
    this.themed = this.dark;
    this.box.classList.toggle("dark", this.dark);
    const style = getComputedStyle(this.box);
    this.text = rgbOf(this.ink.text);
    this.now = rgbOf(style.getPropertyValue("--now"));
    this.mine = rgbOf(style.getPropertyValue("--layer"));
    this.lut = { v: colourTable(PALETTE.grey), h: colourTable(PALETTE.hidden), weights: colourTable(PALETTE[this.dark ? "dark" : "light"].diverging) };
    for (const layer of ["v", "h"]) {
      const canvas = this.$(".ramp." + layer), image = new ImageData(64, 1), out = new Uint32Array(image.data.buffer);
      for (let i = 0; i < 64; i++) out[i] = this.lut[layer][Math.round(i * 255 / 63)];
      canvas.getContext("2d").putImageData(image, 0, 0);
    }
    this.groupInks = ["blue", "purple", "green", "yellow", "orange", "grey"].map((name) => rgbOf(this.ink.lines[name])); // vermillion is the layer just drawn
    this.curves = null;
  }
  css(rgb, alpha = 1) { return `rgb(${rgb.join(" ")} / ${alpha})`; }

  // --- layout ---------------------------------------------------------------------------------
  arrange() {
    if (!this.film) return;
    for (const b of this.box.querySelectorAll("[data-show]")) b.setAttribute("aria-pressed", String(b.dataset.show === this.mode));
    const width = this.box.clientWidth;
    if (!width) return;
    this.$(".chains").style.display = this.mode === "one" ? "none" : "";
    this.$(".pick:has(.layer)").style.visibility = this.mode === "one" ? "hidden" : "";
    this.$(".cycle").parentElement.style.display = this.mode === "grid" ? "none" : "";
    const rem = this.rem = 16 * textScale(), narrow = this.narrow = width <= 44 * rem;
    this.box.classList.toggle("narrow", narrow);
    this.$(narrow ? ".under" : ".choices").append(this.$(".scale"));
    this.nameLayers();
    const slim = window.innerWidth <= SLIM;
    if (slim !== this.slim) this.say("slim", (this.slim = slim));
    this.holdWhere();
    let tall = clamp(window.innerHeight * (this.mode === "one" ? 0.6 : 0.56), 300, 860);
    const beside = this.mode === "both" && width > 34 * rem;
    const across = 5.4 * rem, between = 2.6 * rem + 3.2 * rem;
    const free = window.innerHeight - this.$(".controls").offsetHeight - 5 * rem; // what a scrolled window can show at once
    let side = ((narrow ? Math.max(tall, Math.min(free, 2 * tall)) : tall) - between) / 2;
    if (beside) side = Math.min(side, (width - across - between - 3 * rem) / 4);
    else side = Math.min(side, (width - across - 8) / 2);
    side = Math.max(side, 84);
    this.$(".stage").style.flexWrap = beside ? "nowrap" : "wrap";
    this.sizes = {};
    for (const what of ["v", "ph", "pv", "h"]) {
      const [rows, columns] = this.film.shape(what);
      this.panels[what].style.width = side + "px";
      this.sizes[what] = this.fit(this.panels[what].querySelector("canvas"), rows, columns, side, true);
    }
    if (narrow) tall = this.clear(Math.min(width, tall), free);
    const high = beside ? Math.min(2 * side + between - 0.6 * rem, width - 2 * side - across - 3 * rem) : Math.min(width, tall), room = { high, wide: beside ? high : width };
    const plan = (layer) => {
      const grid = this.blocks(...this.film.shape(layer), room), scale = Math.min(room.wide / grid.width, high / grid.height);
      return { grid, wide: scale * grid.width, high: scale * grid.height };
    };
    const plans = ["v", "h"].map(plan), chosen = plan(this.gridLayer), most = (side) => `${Math.ceil(Math.max(...plans.map((p) => p[side])))}px`;
    this.grid = chosen.grid;
    this.sizes.grid = this.fit(this.$(".grid"), this.grid.height, this.grid.width, Math.max(chosen.wide, chosen.high), false);
    // Pixels and hidden units get the same place: nothing moves when the other layer is shown.
    Object.assign(this.$(".cells").style, { width: most("wide"), minHeight: most("high") });
    this.placeLabels();
    this.curves = null;
    this.refresh();
  }
  /** On a narrow window the controls stay at its lower edge: how much of `wanted` they leave the grid to be seen whole,
      at once where that is not too small, else after a scroll. */
  clear(wanted, free) {
    const page = this.box.getRootNode().host?.closest('[data-testid="stMain"]'), controls = this.$(".controls").offsetHeight;
    const above = this.$(".cells").getBoundingClientRect().top + (page?.scrollTop ?? 0);
    const atOnce = window.innerHeight - above - controls - 8;
    return Math.max(120, Math.min(wanted, atOnce >= 0.6 * wanted ? atOnce : free));
  }
  /** Room for the longest words that can stand beside the slider, so that it keeps its length while the film plays. */
  holdWhere() {
    const where = this.$(".where"), now = where.textContent;
    where.style.minWidth = "";
    where.textContent = this.whereText(2 * this.film.n_sweeps - 1, 2 * this.film.n_sweeps - 1);
    where.style.minWidth = `${Math.ceil(where.getBoundingClientRect().width) + 2}px`;
    where.textContent = now;
  }
  placeLabels() {
    const g = this.grid, scale = this.$(".grid").clientWidth / g.width;
    [...this.$(".labels").children].forEach((span, k) => {
      const { x, y } = g.places[k];
      Object.assign(span.style, { left: `${x * scale}px`, top: `${y * scale}px`, width: `${g.wide * scale}px`, height: `${g.band * scale}px` });
    });
  }
  /** Where each chain's cell lies, in cells' own pixels: a block a group, its name above it, laid out so that cells
      come out large in a room of so many css pixels, blocks nearly square, and few places stay empty. */
  blocks(h, w, room) {
    const { per: n, groups: { length: groups } } = this.film, gap = Math.max(1, Math.round(w / 14)), apart = groups > 1 ? 4 * gap : 0;
    const label = groups > 1 ? 1.7 * this.rem : 0;
    let best = null;
    for (let across = 1; across <= groups; across++) for (let columns = 1; columns <= n; columns++) {
      const down = Math.ceil(groups / across), rows = Math.ceil(n / columns);
      const wide = columns * (w + gap) - gap, high = rows * (h + gap) - gap;
      const width = across * (wide + apart) - apart, height = down * high + (down - 1) * apart;
      const scale = Math.min(room.wide / width, (room.high - down * label) / height), empty = 1 - (n * groups) / (rows * columns * down * across);
      const worth = scale * (1 - 1.5 * empty) * (Math.min(wide, high) / Math.max(wide, high)) ** 0.25;
      if (!best || worth > best.worth) best = { worth, scale, columns, across, down, wide, high, width, height };
    }
    const band = label ? Math.ceil(label / best.scale) : 0, { across, down, wide, high, width, height, columns } = best;
    const places = Array.from({ length: groups }, (_, g) => ({ x: (g % across) * (wide + apart), y: Math.floor(g / across) * (high + apart + band) }));
    return { columns, wide, band, places, width, height: height + down * band, w, h, gap };
  }
  cellAt(k) {
    const g = this.grid, i = k % this.film.per, { x, y } = g.places[this.film.groupOf(k)];
    return [x + (i % g.columns) * (g.w + g.gap), y + g.band + Math.floor(i / g.columns) * (g.h + g.gap)];
  }
  /** Sizes a canvas to rows × columns cells, each a whole number of device pixels if asked. */
  fit(canvas, rows, columns, side, whole) {
    const dpr = pixelRatio();
    let cell = side * dpr / Math.max(rows, columns);
    if (whole) cell = Math.max(1, Math.floor(cell));
    canvas.width = Math.round(columns * cell);
    canvas.height = Math.round(rows * cell);
    canvas.style.width = canvas.width / dpr + "px";
    canvas.style.height = canvas.height / dpr + "px";
    return { cell, rows, columns };
  }

  // --- drawing --------------------------------------------------------------------------------
  refresh() {
    if (this.waiting || !this.film) return;
    this.waiting = requestAnimationFrame(() => { this.waiting = 0; if (this.film && this.sizes) this.paint(); });
  }
  paintNow() {
    cancelAnimationFrame(this.waiting);
    this.waiting = 0;
    if (this.film && this.sizes) this.paint();
  }
  whereText(frame, sweep) {
    const f = this.film, heat = f.heated ? ` · T ${this.number(1 / f.betaOf(this.chain, Math.max(1, Math.min(sweep, f.n_sweeps))), 2)}` : "";
    return frame === 0 ? `start · 0 / ${f.n_sweeps}` : `sweep ${sweep} / ${f.n_sweeps} · half step ${frame % 2 ? "h" : "v"}${heat}`;
  }
  whereWords() { return this.frame === 0 ? "start" : `sweep ${(this.frame + 1) >> 1}, half step ${this.frame % 2 ? "h" : "v"}`; }
  paint() {
    const f = this.film, frame = this.frame;
    this.box.dataset.frame = String(frame);
    this.box.dataset.chain = String(this.chain);
    this.box.dataset.drawn = String(++this.drawn);
    if (this.mode !== "one") this.paintGrid();
    if (this.mode !== "grid") for (const what of ["v", "ph", "pv", "h"]) this.paintPanel(what);
    const half = frame === 0 ? "" : frame % 2 ? "h" : "v";
    for (const [what, panel] of Object.entries(this.panels)) panel.classList.toggle("lit", half !== "" ? what.endsWith(half) : what === "v");
    for (const arrow of this.box.querySelectorAll(".arrow")) arrow.classList.toggle("lit", arrow.dataset.arrow === half);
    const scrub = this.$(".scrub");
    scrub.value = String(frame);
    const sweep = (frame + 1) >> 1;
    const where = this.whereText(frame, sweep);
    this.$(".where").textContent = where;
    scrub.setAttribute("aria-valuetext", where);
    this.tell();
    this.paintCurves();
    if (this.inSight(".map")) this.paintMap();
    if (this.inSight(".twin")) this.paintTwin();
    this.write('[data-figure="chains"] b', `${f.per > 1 ? `${f.per} chains` : "The chain"}${f.groups.length > 1 ? `, ${f.groups.length > 2 ? `${f.groups.length} times` : "twice"}` : ""}`);
    const early = this.gridLayer.endsWith("v") ? frame < 2 && "the start v" : frame === 0 && "made in the first half step";
    this.write('[data-figure="chains"] .what', `${early || f.called(this.gridLayer)}${f.n_chains > 1 && !this.narrow ? " · click one to see it large" : ""}`);
    this.write('[data-figure="cycle"] b', `${this.nameOf(this.chain).replace("the", "The").replace("chain ", "Chain ")}, half step by half step`);
    this.$('[data-figure="cycle"] b').style.boxShadow = f.groups.length > 1 ? `0 3px ${this.css(this.colourOf(this.chain))}` : "";
  }
  inSight(selector) { return savingNow() || !this.hidden.has(this.$(selector)); }
  write(selector, text) {
    const node = this.$(selector);
    if (node.textContent !== text) node.textContent = text;
  }
  /** The chosen chain's picture, the training image nearest to it, and where they differ. */
  paintTwin() {
    const f = this.film, k = this.chain, tiles = this.box.querySelectorAll(".tiles canvas"), [rows, columns] = f.image_shape;
    if (!f.nearest) {
      this.write(".twin b", "Nearest training image");
      this.write(".twin .what", "");
      this.write(".twin .note", f.nearest_pending ? "Being looked for…" : "");
      for (const canvas of tiles) this.fit(canvas, rows, columns, 6 * this.rem, true); // which also empties it
      return;
    }
    const near = f.nearestTo(this.frame >> 1, k), v = f.picture(f.v(near.sweep, k)), orange = this.now, blue = rgbOf(PALETTE.dark.lines.blue);
    const abgr = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
    const inks = { none: 0xff000000, both: 0xffffffff, mine: abgr(orange), known: abgr(blue) };
    let differ = 0;
    const board = this.scratch("twin", columns, rows);
    for (const canvas of tiles) {
      const { cell } = this.fit(canvas, rows, columns, 6 * this.rem, true), tile = canvas.dataset.tile;
      for (let i = 0; i < f.n_visible; i++) {
        const a = v[i] > 0.5, b = near.on(i) === 1;
        if (tile === "differ" && a !== b) differ++;
        board.pixels[i] = tile === "mine" ? (a ? inks.both : inks.none) : tile === "known" ? (b ? inks.both : inks.none) : a && b ? inks.both : a ? inks.mine : b ? inks.known : inks.none;
      }
      board.canvas.getContext("2d").putImageData(board.image, 0, 0);
      const c = canvas.getContext("2d");
      c.imageSmoothingEnabled = false;
      c.drawImage(board.canvas, 0, 0, columns * cell, rows * cell);
    }
    this.write(".twin b", `Nearest to ${this.nameOf(k)}: ${near.label < 255 ? `a ${near.label}` : `a ${this.known}`}`);
    this.write(".twin .what", `after sweep ${near.sweep}`);
    this.write(".twin .note", `Number ${near.number.toLocaleString("en-US")} of ${f.nearest.source}. ${differ} of ${f.n_visible} pixels differ: orange are the chain's alone, blue the ${this.known}'s alone.`);
  }
  lutFor(what) { return what.endsWith("v") ? this.lut.v : this.lut.h; }
  shade(x) {
    return x <= 0 ? 0 : x >= 1 ? 255 : (x * 255 + 0.5) | 0;
  }
  scratch(name, w, h) {
    this.boards ??= {};
    const b = this.boards[name];
    if (b && b.canvas.width === w && b.canvas.height === h) return b;
    const canvas = document.createElement("canvas");
    canvas.width = w; canvas.height = h;
    const image = new ImageData(w, h);
    return (this.boards[name] = { canvas, image, pixels: new Uint32Array(image.data.buffer) });
  }
  paintGrid() {
    const f = this.film, g = this.grid, what = this.gridLayer, lut = this.lutFor(what);
    const canvas = this.$(".grid"), c = canvas.getContext("2d");
    const w = g.width, h = g.height;
    const board = this.scratch("grid", w, h);
    board.pixels.fill(0);
    for (let k = 0; k < f.n_chains; k++) {
      const shades = f.shades(what, this.frame, k);
      const [left, top] = this.cellAt(k);
      let at = top * w + left;
      for (let y = 0, i = 0; y < g.h; y++, at += w)
        for (let x = 0; x < g.w; x++, i++) board.pixels[at + x] = shades && i >= shades.length ? 0 : lut[shades ? shades[i] : 0];
    }
    board.canvas.getContext("2d").putImageData(board.image, 0, 0);
    c.clearRect(0, 0, canvas.width, canvas.height);
    // Blown up to whole pixels first, then smoothed down: every cell comes out equally wide.
    const up = Math.ceil(canvas.width / w), large = this.scratch("large", w * up, h * up).canvas, l = large.getContext("2d");
    l.imageSmoothingEnabled = false;
    l.clearRect(0, 0, w * up, h * up);
    l.drawImage(board.canvas, 0, 0, w * up, h * up);
    c.imageSmoothingQuality = "high";
    c.drawImage(large, 0, 0, canvas.width, canvas.height);
    const scale = canvas.width / w, dpr = pixelRatio();
    const frameCell = (k, colour, thick) => {
      const [left, top] = this.cellAt(k);
      c.strokeStyle = colour; c.lineWidth = thick * dpr;
      c.strokeRect(left * scale + c.lineWidth / 2, top * scale + c.lineWidth / 2, g.w * scale - c.lineWidth, g.h * scale - c.lineWidth);
    };
    c.beginPath(); // all faint frames in one stroke
    for (let k = 0; k < f.n_chains; k++) {
      const [left, top] = this.cellAt(k);
      c.rect(left * scale + dpr / 2, top * scale + dpr / 2, g.w * scale - dpr, g.h * scale - dpr);
    }
    c.strokeStyle = this.css(this.text, 0.16); c.lineWidth = dpr;
    c.stroke();
    if (g.band) g.places.forEach(({ x, y }, k) => { // beneath each group's name, a line in its colour
      c.fillStyle = this.css(this.groupInks[k]);
      c.fillRect(x * scale, (y + g.band) * scale - 5 * dpr, g.wide * scale, 3 * dpr);
    });
    if (this.hover?.chain != null) frameCell(this.hover.chain, this.css(this.mine, 0.7), 2);
    for (const k of this.twins()) frameCell(k, this.css(this.colourOf(k)), 3);
  }
  /** The chosen chain and those of other groups that began as it did. */
  twins() { return this.film.groups.map((_, g) => g * this.film.per + (this.chain % this.film.per)).sort((a, b) => (a === this.chain) - (b === this.chain)); }
  colourOf(chain) { return this.film.groups.length > 1 ? this.groupInks[this.film.groupOf(chain)] : this.mine; }
  paintPanel(what) {
    const f = this.film, canvas = this.panels[what].querySelector("canvas"), c = canvas.getContext("2d");
    const { rows, columns } = this.sizes[what], count = this.panels[what].querySelector(".count");
    c.clearRect(0, 0, canvas.width, canvas.height);
    const empty = what === "pv" && this.frame < 2;
    const values = empty ? null : f.show(what, this.frame, this.chain);
    const lut = this.lutFor(what);
    if (!values) {
      c.fillStyle = this.css(this.text, 0.05);
      c.fillRect(0, 0, canvas.width, canvas.height);
      c.fillStyle = this.css(this.text, 0.55);
      this.hint(c, canvas, `made in the ${what === "pv" ? "second" : "first"} half step`);
      count.textContent = "";
      return;
    }
    const board = this.scratch(what, columns, rows);
    board.pixels.fill(0);
    let sum = 0;
    for (let i = 0; i < values.length; i++) { board.pixels[i] = lut[this.shade(values[i])]; sum += values[i]; }
    board.canvas.getContext("2d").putImageData(board.image, 0, 0);
    c.fillStyle = this.css(this.text, 0.2); // cells beyond the last unit
    c.fillRect(0, 0, canvas.width, canvas.height);
    c.imageSmoothingEnabled = false;
    c.drawImage(board.canvas, 0, 0, canvas.width, canvas.height);
    const gaussian = f.visible === "gaussian" && what.endsWith("v");
    const coins = values.every((x) => x === 0 || x === 1), expected = what.startsWith("p") || (f.mean_field && !(what === "v" && this.frame < 2));
    count.textContent = gaussian ? "" : expected ? `${sum.toFixed(0)} expected` : coins ? `${sum} of ${values.length} on` : "";
    if (f.a.held && what.endsWith("v")) this.hatchHeld(c, canvas, rows, columns);
  }
  /** Words in the middle of a picture, in as many lines as they need. */
  hint(c, canvas, words) {
    const size = 0.7 * this.rem * pixelRatio(), lines = [];
    c.font = `${size}px ${getComputedStyle(this.box).fontFamily}`;
    c.textAlign = "center";
    for (const word of words.split(" ")) {
      const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
      if (lines.length && c.measureText(longer).width < canvas.width - size) lines[lines.length - 1] = longer; else lines.push(word);
    }
    lines.forEach((line, k) => c.fillText(line, canvas.width / 2, canvas.height / 2 + (k - (lines.length - 1) / 2) * 1.3 * size));
  }
  hatchHeld(c, canvas, rows, columns) {
    const f = this.film, s = canvas.width / columns;
    c.strokeStyle = this.css(this.now, 0.95);
    c.lineWidth = Math.max(1, s / 6);
    c.beginPath();
    for (let i = 0; i < rows * columns; i++) {
      if (!f.isHeld(i)) continue;
      const x = i % columns, y = Math.floor(i / columns);
      if (x + 1 < columns && !f.isHeld(i + 1)) { c.moveTo((x + 1) * s, y * s); c.lineTo((x + 1) * s, (y + 1) * s); }
      if (x > 0 && !f.isHeld(i - 1)) { c.moveTo(x * s, y * s); c.lineTo(x * s, (y + 1) * s); }
      if (y + 1 < rows && !f.isHeld(i + columns)) { c.moveTo(x * s, (y + 1) * s); c.lineTo((x + 1) * s, (y + 1) * s); }
      if (y > 0 && !f.isHeld(i - columns)) { c.moveTo(x * s, y * s); c.lineTo((x + 1) * s, y * s); }
    }
    c.stroke();
  }

  // --- words ----------------------------------------------------------------------------------
  nameOf(chain) {
    const { n_chains: n, per, groups } = this.film;
    const name = n > 1 ? `chain ${(chain % per) + 1}` : "the chain";
    return groups.length > 1 ? `${name} (${groups[this.film.groupOf(chain)]})` : name;
  }
  changed(before, after) {
    let n = 0;
    for (let i = 0; i < after.length; i++) if (Math.abs(after[i] - before[i]) > 0.5) n++;
    return n;
  }
  tell() {
    if (!this.film) return;
    const f = this.film, t = (this.frame + 1) >> 1, k = this.chain, name = this.nameOf(k);
    const F = (s) => this.number(f.a.free_energy[s * f.n_chains + k], 1);
    let words;
    if (this.frame === 0) words = `${f.start_sentence} Free energy of ${name}: ${F(0)} nats${this.emptiness(k)}. Press play, or → for the first half step.`;
    else {
      const beta = f.betaOf(k, t), heat = Math.abs(beta - 1) > 1e-6 ? ` at temperature ${this.number(1 / beta, 2)}` : "";
      const h = f.h(t, k), on = h.reduce((a, b) => a + b, 0);
      if (this.frame % 2) {
        const news = t > 1 ? `, ${this.changed(f.h(t - 1, k), h)} of them changed` : "";
        words = f.mean_field
          ? `Sweep ${t} of ${f.n_sweeps}, first half: no coin is tossed, each hidden unit takes the probability p(h|v)${heat} itself; ${name} expects ${this.number(on, 1)} of ${f.n_hidden} on.`
          : `Sweep ${t} of ${f.n_sweeps}, first half: each hidden unit looked at the picture v and switched on with probability p(h|v)${heat}. In ${name}, ${on} of ${f.n_hidden} are on${news}.`;
      } else {
        const v = f.v(t, k), flips = this.changed(f.v(t - 1, k), v);
        const held = f.a.held ? " that is not held" : "";
        words = f.mean_field
          ? `Sweep ${t} of ${f.n_sweeps}, second half: each pixel${held} took the probability p(v|h)${heat} itself. The free energy of ${name} is ${F(t)} nats.`
          : f.visible === "gaussian"
            ? `Sweep ${t} of ${f.n_sweeps}, second half: each pixel${held} looked at the hidden units and was drawn around its mean${heat}. The free energy of ${name} is ${F(t)} nats.`
            : `Sweep ${t} of ${f.n_sweeps}, second half: each pixel${held} looked at the hidden units and switched on with probability p(v|h)${heat}. In ${name}, ${flips} of ${f.n_visible} flipped: F(v) = ${F(t)} nats.`;
      }
    }
    if (f.reference !== "its own start" && this.frame % 2 === 0) words = this.tellReference(words, t, k);
    if (f.groups.length > 1 && this.frame > 1 && this.frame % 2 === 0) {
      // Beside the last group, the moment chosen; the last itself beside the one before it.
      const last = f.groups.length - 1, g = f.groupOf(k) === last ? last - 1 : last, other = g * f.per + (k % f.per);
      words += ` It differs from the same chain ${f.fork === null ? "at" : "in"} ${f.fork === null ? f.groups[g] : `“${f.groups[g]}”`} in ${this.changed(f.v(t, other), f.v(t, k))} pixels.`;
    }
    const p = this.$(".sentence");
    if (p.textContent !== words) p.textContent = words;
  }
  /** Why a machine that finds the empty picture likely does not draw it. */
  emptiness(k) {
    const f = this.film, empty = f.v(0, k).every((x) => x === 0) && f.visible !== "gaussian";
    return empty && f.a.free_energy[k] < f.band?.low ? ", likelier than most single pictures of the data, but those are ever so many" : "";
  }
  /** What became of the picture that was spoilt: inverted pixels can be repaired, pixels let loose can only be filled in. */
  tellReference(words, t, k) {
    const f = this.film, d = f.a.distance, now = d[t * f.n_chains + k], from = d[k], first = f.groupOf(k) * f.per;
    const all = (s) => d.subarray(s * f.n_chains + first, s * f.n_chains + first + f.per).reduce((a, b) => a + b, 0);
    if (f.a.held) {
      if (t === 0) return words.replace("Press play", `${from} of the pixels let loose differ from the whole picture. Press play`);
      return `${words} ${now} pixels differ from the whole picture, ${from} did at the start; another good completion differs too.`;
    }
    if (t === 0) return words.replace("Press play", `${from} of its pixels are inverted. Press play`);
    if (all(t) >= all(0)) return `${words} The chains are now as far from the clean pictures as they began.`;
    const share = (a, b) => (a ? `${Math.round(100 * (1 - b / a))} %`.replace("-", "−") : "0 %");
    return `${words} ${share(from, now)} of the inverted pixels are repaired${f.per > 1 ? `, ${share(all(0), all(t))} over all chains` : ""}, counted against the picture it started from.`;
  }
  number(x, digits) { return Number.isFinite(x) ? x.toFixed(digits).replace("-", "−") : "not a number"; }

  // --- curves ---------------------------------------------------------------------------------
  curveCanvases() { return ["energy", "distance", "nearest"].map((n) => [n, this.$(`.curve.${n} canvas`)]); }
  range(name) {
    if (this.ranges.has(name)) return this.ranges.get(name);
    const f = this.film, { data } = f.curve(name), all = Array.from(data).filter(Number.isFinite), band = name === "energy" ? f.band : null;
    all.sort((a, b) => a - b);
    let lo = all[0] ?? 0, hi = all[all.length - 1] ?? 1;
    if (name === "energy") {
      // A start from noise can lie thousands of nats up: let it come in from above the frame
      // rather than flatten everything that follows.
      const settled = Array.from(data).slice(f.n_chains * Math.ceil(f.n_sweeps / 4)).filter(Number.isFinite);
      let a = Infinity, b = -Infinity;
      for (const x of settled) { a = Math.min(a, x); b = Math.max(b, x); }
      if (band) { a = Math.min(a, band.low); b = Math.max(b, band.high); }
      const spread = Math.max(b - a, 1);
      lo = Math.max(lo, a - 1.2 * spread); hi = Math.min(hi, b + 1.2 * spread);
      if (band) { lo = Math.min(lo, band.low); hi = Math.max(hi, band.high); }
    } else lo = 0;
    if (!(hi > lo)) { hi = lo + 1; }
    const pad = (hi - lo) * 0.05, r = [name === "energy" ? lo - pad : 0, hi + pad];
    this.ranges.set(name, r);
    return r;
  }
  ticks(lo, hi, n) {
    const raw = (hi - lo) / n, power = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
    const out = [];
    for (let x = Math.ceil(lo / step) * step; x <= hi + step * 1e-6; x += step) out.push(Math.abs(x) < step * 1e-6 ? 0 : x);
    return out;
  }
  frameOf(canvas) {
    const dpr = pixelRatio(), small = 0.72 * this.rem;
    return { dpr, small, left: 3.6 * small, right: 1.3 * small, top: 0.5 * small, bottom: 1.8 * small, w: canvas.clientWidth, h: canvas.clientHeight };
  }
  scales(name, canvas) {
    const m = this.frameOf(canvas), [lo, hi] = this.range(name);
    return {
      m, lo, hi,
      x: (sweep) => m.left + (m.w - m.left - m.right) * sweep / this.film.n_sweeps,
      y: (value) => m.h - m.bottom - (m.h - m.bottom - m.top) * (value - lo) / (hi - lo),
    };
  }
  paintCurves() {
    this.curves ??= {};
    for (const [name, canvas] of this.curveCanvases()) {
      if (!this.inSight(`.curve.${name}`)) continue;
      const dpr = pixelRatio(), w = Math.round(canvas.clientWidth * dpr), h = Math.round(canvas.clientHeight * dpr);
      if (!w || !h) continue;
      if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; delete this.curves[name]; }
      if (!this.film.curve(name)) { this.write(`.curve.${name} output`, ""); canvas.getContext("2d").clearRect(0, 0, w, h); continue; }
      const value = this.film.value(name, this.frame >> 1, this.chain);
      this.write(`.curve.${name} output`, `${this.nameOf(this.chain)}: ${name === "energy" ? `${this.number(value, 1)} nats${value > this.range(name)[1] ? " (above the chart)" : ""}` : `${value} pixels`}`);
      this.curves[name] ??= this.stillCurve(name, canvas);
      const c = canvas.getContext("2d");
      c.setTransform(1, 0, 0, 1, 0, 0);
      c.clearRect(0, 0, w, h);
      c.drawImage(this.curves[name], 0, 0);
      this.paintCursor(name, canvas, c);
    }
  }
  stillCurve(name, canvas) {
    const f = this.film, s = this.scales(name, canvas), { m } = s, { data, every } = f.curve(name);
    const still = document.createElement("canvas");
    still.width = canvas.width; still.height = canvas.height;
    const c = still.getContext("2d");
    c.scale(m.dpr, m.dpr);
    c.font = `${m.small}px ${getComputedStyle(this.box).fontFamily}`;
    c.fillStyle = this.css(this.text, 0.62); c.strokeStyle = this.css(this.text, 0.1); c.lineWidth = 1;
    c.textAlign = "right"; c.textBaseline = "middle";
    for (const y of this.ticks(s.lo, s.hi, 4)) {
      const at = Math.round(s.y(y)) + 0.5;
      c.beginPath(); c.moveTo(m.left, at); c.lineTo(m.w - m.right, at); c.stroke();
      c.fillText(String(+y.toPrecision(6)).replace("-", "−"), m.left - 5, at);
    }
    c.textAlign = "center"; c.textBaseline = "alphabetic";
    const xs = this.ticks(0, f.n_sweeps, Math.max(2, Math.min(8, m.w / 70))).filter(Number.isInteger);
    for (const x of xs) {
      c.textAlign = x ? "center" : "left"; // the first tick also names the axis
      c.fillText(x ? String(x) : "sweep 0", x ? s.x(x) : 1, m.h - m.small * 0.5);
    }
    c.save();
    c.beginPath(); c.rect(m.left, m.top, m.w - m.left - m.right, m.h - m.top - m.bottom); c.clip();
    if (name === "energy" && f.band) {
      c.fillStyle = this.css(this.mine, 0.13);
      c.fillRect(m.left, s.y(f.band.high), m.w - m.left - m.right, s.y(f.band.low) - s.y(f.band.high));
    }
    const line = (k, colour, width) => {
      c.beginPath();
      for (let i = 0; i * every <= f.n_sweeps; i++) { const y = s.y(data[i * f.n_chains + k]); if (i) c.lineTo(s.x(i * every), y); else c.moveTo(s.x(0), y); }
      c.strokeStyle = colour; c.lineWidth = width; c.lineJoin = "round"; c.stroke();
    };
    const alpha = clamp(4 / f.n_chains, 0.14, 0.5);
    if (f.fork !== null) {
      c.strokeStyle = this.css(this.groupInks[1], 0.8); c.setLineDash([3, 3]);
      c.beginPath(); c.moveTo(s.x(f.fork), m.top); c.lineTo(s.x(f.fork), m.h - m.bottom); c.stroke();
      c.setLineDash([]);
    }
    const many = f.groups.length > 1;
    for (let k = 0; k < f.n_chains; k++) if (k !== this.chain) line(k, this.css(many ? this.colourOf(k) : this.text, alpha), 1);
    for (const k of this.twins()) line(k, this.css(this.colourOf(k)), k === this.chain ? 2.4 : 1.5);
    c.restore();
    return still;
  }
  paintCursor(name, canvas, c) {
    const f = this.film, s = this.scales(name, canvas), { m } = s, { data, every } = f.curve(name), sweep = this.frame / 2, t = this.frame >> 1;
    c.scale(m.dpr, m.dpr);
    c.save();
    c.beginPath(); c.rect(m.left - 5, m.top, m.w - m.left - m.right + 10, m.h - m.top - m.bottom); c.clip();
    if (this.hover?.chain != null && this.hover.chain !== this.chain) {
      c.beginPath();
      for (let i = 0; i * every <= f.n_sweeps; i++) { const y = s.y(data[i * f.n_chains + this.hover.chain]); if (i) c.lineTo(s.x(i * every), y); else c.moveTo(s.x(0), y); }
      c.strokeStyle = this.css(this.text, 0.85); c.lineWidth = 1.5; c.stroke();
    }
    c.strokeStyle = this.css(this.now); c.lineWidth = 1.5;
    c.beginPath(); c.moveTo(s.x(sweep), m.top); c.lineTo(s.x(sweep), m.h - m.bottom); c.stroke();
    const dot = (k, colour, r) => {
      const x = s.x(t), y = s.y(f.value(name, t, k)), up = y < m.top - 1, down = y > m.h - m.bottom + 1;
      c.beginPath();
      if (up || down) { // beyond the frame: an arrowhead that points to where it lies
        const tip = up ? m.top + 1 : m.h - m.bottom - 1, foot = tip + (up ? 2 : -2) * r;
        c.moveTo(x, tip); c.lineTo(x - 1.2 * r, foot); c.lineTo(x + 1.2 * r, foot); c.closePath();
      } else c.arc(x, y, r, 0, 7);
      c.fillStyle = colour; c.fill();
    };
    for (let k = 0; k < f.n_chains; k++) if (k !== this.chain) dot(k, this.css(this.text, 0.35), 1.6);
    for (const k of this.twins()) dot(k, this.css(this.colourOf(k)), k === this.chain ? 4.2 : 3);
    c.restore();
  }
  // --- map ------------------------------------------------------------------------------------
  /** Where a point of the plane lies on the canvas; the same scale along both axes. */
  mapScale(canvas) {
    const f = this.film, w = canvas.clientWidth, h = canvas.clientHeight;
    if (!this.ranges.has("map")) {
      const ends = [0, 1].map((axis) => {
        const x = [];
        for (const from of [f.a.map_points, f.a.map_path.subarray(2 * f.n_chains)]) for (let i = axis; i < from.length; i += 2) x.push(from[i]);
        return x.reduce(([lo, hi], y) => [Math.min(lo, y), Math.max(hi, y)], [Infinity, -Infinity]);
      });
      this.ranges.set("map", ends);
    }
    const [[x0, x1], [y0, y1]] = this.ranges.get("map"), s = Math.min((w - 24) / Math.max(x1 - x0, 1e-6), (h - 24) / Math.max(y1 - y0, 1e-6));
    return (x, y) => [w / 2 + (x - (x0 + x1) / 2) * s, h / 2 - (y - (y0 + y1) / 2) * s];
  }
  paintMap() {
    const f = this.film, canvas = this.$(".map canvas"), dpr = pixelRatio(), t = this.frame >> 1;
    const w = Math.round(canvas.clientWidth * dpr), h = Math.round(canvas.clientHeight * dpr);
    if (!w || !h) return;
    if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; delete this.curves.map; }
    const c = canvas.getContext("2d");
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.clearRect(0, 0, w, h);
    if (!f.map) return;
    const at = this.mapScale(canvas);
    this.curves.map ??= this.drawStillMap(canvas, at);
    c.drawImage(this.curves.map, 0, 0);
    c.scale(dpr, dpr);
    const spot = (k, s) => at(f.a.map_path[2 * (s * f.n_chains + k)], f.a.map_path[2 * (s * f.n_chains + k) + 1]);
    for (let k = 0; k < f.n_chains; k++) {
      c.beginPath(); c.arc(...spot(k, t), 3, 0, 7);
      c.fillStyle = this.css(f.groups.length > 1 ? this.colourOf(k) : this.text, 0.75); c.fill();
    }
    for (const k of this.twins()) {
      c.lineJoin = "round";
      for (let s = Math.max(1, t - 40); s <= t; s++) {
        c.beginPath(); c.moveTo(...spot(k, s - 1)); c.lineTo(...spot(k, s));
        c.strokeStyle = this.css(this.colourOf(k), 0.15 + 0.85 * (1 - (t - s) / 40)); c.lineWidth = 1.8; c.stroke();
      }
      c.beginPath(); c.arc(...spot(k, t), 6, 0, 7);
      c.fillStyle = this.css(this.colourOf(k)); c.fill();
      c.strokeStyle = this.css(rgbOf(this.ink.paper)); c.lineWidth = 2; c.stroke();
    }
  }
  drawStillMap(canvas, at) {
    const f = this.film, still = document.createElement("canvas"), c = still.getContext("2d"), dpr = pixelRatio();
    still.width = canvas.width; still.height = canvas.height;
    c.scale(dpr, dpr);
    c.textAlign = "center"; c.textBaseline = "middle";
    c.font = `600 ${0.62 * this.rem}px ${getComputedStyle(this.box).fontFamily}`;
    const inks = ["blue", "vermillion", "green", "purple", "orange", "sky", "grey", "blue", "vermillion", "green"].map((name) => rgbOf(this.ink.lines[name]));
    for (let i = 0; i < f.a.map_labels.length; i++) {
      const label = f.a.map_labels[i], [x, y] = at(f.a.map_points[2 * i], f.a.map_points[2 * i + 1]);
      c.fillStyle = this.css(inks[label] ?? this.text, 0.5);
      c.fillText(label < 10 ? String(label) : "·", x, y);
    }
    c.fillStyle = this.css(this.text, 0.62);
    c.font = `${0.7 * this.rem}px ${getComputedStyle(this.box).fontFamily}`;
    c.textAlign = "right";
    c.fillText("1st principal component →", canvas.clientWidth - 0.5 * this.rem, canvas.clientHeight - 0.7 * this.rem);
    c.textAlign = "left";
    c.fillText("↑ 2nd principal component", 0.5 * this.rem, 0.8 * this.rem);
    return still;
  }
  chainOnMap(canvas, e) {
    const f = this.film, at = this.mapScale(canvas), r = canvas.getBoundingClientRect(), t = this.frame >> 1;
    let chain = null, best = 14;
    for (let k = 0; k < f.n_chains; k++) {
      const [x, y] = at(f.a.map_path[2 * (t * f.n_chains + k)], f.a.map_path[2 * (t * f.n_chains + k) + 1]);
      const d = Math.hypot(x - e.clientX + r.left, y - e.clientY + r.top);
      if (d < best) { best = d; chain = k; }
    }
    return chain;
  }
  hoverMap(canvas, e) {
    const chain = this.chainOnMap(canvas, e);
    this.setHover(chain);
    if (chain === null) { this.$(".tip").hidden = true; return; }
    this.tip(e, `${this.nameOf(chain)}, sweep ${this.frame >> 1}\nclick to see it large`);
  }

  curveAt(name, canvas, e) {
    const f = this.film;
    if (!f.curve(name)) return { frame: this.frame, t: this.frame >> 1, chain: null };
    const s = this.scales(name, canvas), r = canvas.getBoundingClientRect(), x = e.clientX - r.left, y = e.clientY - r.top;
    const sweep = clamp((x - s.m.left) / (s.m.w - s.m.left - s.m.right) * f.n_sweeps, 0, f.n_sweeps);
    const frame = Math.round(2 * sweep), t = clamp(Math.round(sweep), 0, f.n_sweeps);
    let chain = null, best = 14;
    for (let k = 0; k < f.n_chains; k++) {
      const d = Math.abs(s.y(f.value(name, t, k)) - y);
      if (d < best) { best = d; chain = k; }
    }
    return { frame, t, chain };
  }

  // --- hover ----------------------------------------------------------------------------------
  chainAt(e) {
    const r = this.$(".grid").getBoundingClientRect(), g = this.grid, scale = r.width / g.width;
    const x = (e.clientX - r.left) / scale, y = (e.clientY - r.top) / scale;
    for (let k = 0; k < this.film.n_chains; k++) {
      const [left, top] = this.cellAt(k);
      if (x >= left && x < left + g.w + g.gap && y >= top && y < top + g.h + g.gap) return k;
    }
    return null;
  }
  hoverGrid(e) {
    const k = this.chainAt(e);
    if (k === null) return this.hoverNothing();
    const t = this.frame >> 1, f = this.film;
    this.setHover(k);
    this.tip(e, `${this.nameOf(k)}: F(v) = ${this.number(f.a.free_energy[t * f.n_chains + k], 1)} nats\n${f.a.distance[t * f.n_chains + k]} pixels from ${f.reference}\nclick to see it large`);
  }
  hoverCurve(name, canvas, e) {
    if (e.buttons) { const { frame } = this.curveAt(name, canvas, e); this.seek(frame); }
    const { chain, t } = this.curveAt(name, canvas, e), f = this.film;
    this.setHover(chain);
    if (chain === null) { this.$(".tip").hidden = true; return; }
    const x = f.value(name, t, chain), value = name === "energy" ? `F(v) = ${this.number(x, 1)} nats` : `${x} pixels from ${name === "nearest" ? `the nearest ${this.known}` : f.reference}`;
    this.tip(e, `${this.nameOf(chain)}, sweep ${t}\n${value}`);
  }
  hoverCell(what, canvas, e) {
    const f = this.film, r = canvas.getBoundingClientRect(), { rows, columns } = this.sizes[what];
    const x = Math.floor((e.clientX - r.left) / r.width * columns), y = Math.floor((e.clientY - r.top) / r.height * rows), i = y * columns + x;
    const n = what.endsWith("v") ? f.n_visible : f.n_hidden;
    const empty = what === "pv" && this.frame < 2;
    const values = empty ? null : f.show(what, this.frame, this.chain);
    if (x < 0 || y < 0 || x >= columns || i >= n || !values) return this.hoverNothing();
    const pixels = what.endsWith("v");
    const p = pixels ? (this.frame < 2 ? null : f.show("pv", this.frame, this.chain)) : f.show("ph", this.frame, this.chain);
    const state = f.show(pixels ? "v" : "h", this.frame, this.chain)[i];
    const name = pixels ? `pixel in row ${y + 1}, column ${x + 1}` : `hidden unit ${i}`;
    const drawn = state === 1 ? "on" : state === 0 ? "off" : this.number(state, 3);
    const symbol = pixels ? (f.visible === "gaussian" ? "mean" : "p(v=1|h)") : "p(h=1|v)";
    const held = pixels && f.isHeld(i) ? "\nheld fixed" : "";
    const machine = f.machineOf(this.chain, (this.frame + 1) >> 1), bias = pixels ? machine.vbias[i] : machine.hbias[i];
    this.tip(e, `${name}\n${p ? `${symbol} = ${this.number(p[i], 3)}\n` : ""}${f.mean_field ? "value" : "drawn"}: ${drawn}\nbias ${this.number(bias, 2)}${held}${pixels ? "" : "\nits filter: red excites, blue inhibits"}`, pixels ? null : i);
  }
  setHover(chain) {
    if (this.hover?.chain === chain) return;
    this.hover = { chain };
    this.refresh();
  }
  hoverNothing() {
    this.$(".tip").hidden = true;
    if (this.hover) { this.hover = null; this.refresh(); }
  }
  tip(e, text, unit = null) {
    const tip = this.$(".tip"), canvas = tip.querySelector("canvas"), f = this.film;
    tip.querySelector("span").textContent = text;
    canvas.hidden = unit === null;
    if (unit !== null) {
      const [rows, columns] = f.image_shape;
      const board = this.scratch("filter", columns, rows);
      const { WT } = f.machineOf(this.chain, (this.frame + 1) >> 1);
      let most = 1e-6;
      for (let i = 0; i < f.n_visible; i++) most = Math.max(most, Math.abs(WT[unit * f.n_visible + i]));
      for (let i = 0; i < f.n_visible; i++) board.pixels[i] = this.lut.weights[Math.round(127.5 + 127.5 * WT[unit * f.n_visible + i] / most)];
      board.canvas.getContext("2d").putImageData(board.image, 0, 0);
      const c = canvas.getContext("2d");
      c.imageSmoothingEnabled = false;
      c.drawImage(board.canvas, 0, 0, canvas.width, canvas.height);
    }
    tip.hidden = false;
    const r = this.box.getBoundingClientRect(), x = e.clientX - r.left, y = e.clientY - r.top;
    const left = x + 16 + tip.offsetWidth > r.width ? x - tip.offsetWidth - 12 : x + 16;
    tip.style.transform = `translate(${Math.max(0, left)}px, ${y + 14}px)`;
  }
  close() {
    clearTimeout(this.leaving);
    this.playing = false;
    this.stop.abort();
    this.watcher.disconnect();
    this.sight.disconnect();
  }
}

export default (component) => show(component, Player);
