import { sharpen, textScale } from "../lib/canvas.js";
import { el, icon } from "../lib/dom.js";
import { clamp, pretty, sigmoid, ticks } from "../lib/numbers.js";
import { PALETTE } from "../lib/palette.js";
import { saveButtons } from "../lib/save.js";
import { colourTable } from "../lib/theme.js";
import { onResize, show, View } from "../lib/view.js";
// A tiny machine learning, played from a film of every update (figures/learn.py computes all of it).
// What is worked out here, from the film's own parameters: p(v) and F(v) of pictures, and the walking chain.

const ICON = {
  play: "M7 4.5v15L19.5 12z", pause: "M6 5h4v14H6zM14 5h4v14h-4z", reset: "M6 5h2.5v14H6zM20 5v14L9.5 12z",
  step: "M5 5v14l9-7zM15.5 5H18v14h-2.5z", back: "M18 5v14L7.5 12z",
};
const VIEWS = [["distribution", "Distribution"], ["update", "One update in slow motion"], ["gradients", "Gradients compared"], ["landscape", "Energy landscape"]];
const STAGES = ["Data", "Positive statistics", "Chain", "Negative statistics", "Difference", "New weights"];
const METHOD_COLOUR = { exact: "blue", cd1: "vermillion", cd10: "purple", pcd: "green" };
const SPEEDS = [2, 10, 50, 200, 1000];
const OFF = "#1a1d22", EDGE = "#8a919b"; // of a picture's cells
const DIAL = 96; // the width of an angle's picture
const REST = matchMedia("(prefers-reduced-motion: reduce)");
const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const times = (n, thing) => `${n.toLocaleString("en-US")} ${thing}${n === 1 ? "" : "s"}`;

/** The machine after one number of updates: views into the film's parameters (W row by row, then both biases). */
class Machine {
  constructor(flat, V, H) {
    this.V = V; this.H = H;
    this.W = flat.subarray(0, V * H);
    this.b = flat.subarray(V * H, V * H + V);
    this.c = flat.subarray(V * H + V);
  }
  bit(state, i) { return (state >> (this.V - 1 - i)) & 1; }
  inputs(state) {
    const x = Float64Array.from(this.c);
    for (let i = 0; i < this.V; i++) if (this.bit(state, i)) for (let j = 0; j < this.H; j++) x[j] += this.W[i * this.H + j];
    return x;
  }
  freeEnergy(state) {
    let f = 0;
    for (let i = 0; i < this.V; i++) if (this.bit(state, i)) f -= this.b[i];
    for (const x of this.inputs(state)) f -= softplus(x);
    return f;
  }
  /** F of every state, in nats: each differs from the one before by one pixel, so one row of W is added. */
  landscape(out) {
    const { V, H, W, b } = this, x = Float64Array.from(this.c), n = 1 << V;
    let linear = 0, gray = 0, most = 0;
    for (let j = 0; j < H; j++) { most += Math.abs(x[j]); for (let i = 0; i < V; i++) most += Math.abs(W[i * H + j]); }
    if (most < 600) { // the product of all (1 + eˣ) fits a double: one multiplication a unit instead of an exponential
      const E = x.map(Math.exp), up = Float64Array.from(W, Math.exp), down = Float64Array.from(W, (w) => Math.exp(-w));
      for (let k = 0; k < n; k++) {
        if (k) {
          const place = 31 - Math.clz32(k & -k), i = V - 1 - place;
          gray ^= 1 << place;
          const on = (gray >> place) & 1, factor = on ? up : down;
          linear += on ? b[i] : -b[i];
          for (let j = 0; j < H; j++) E[j] *= factor[i * H + j];
        }
        let product = 1;
        for (let j = 0; j < H; j++) product *= 1 + E[j];
        out[gray] = -linear - Math.log(product);
      }
      return out;
    }
    for (let k = 0; k < n; k++) {
      if (k) {
        const place = 31 - Math.clz32(k & -k), i = V - 1 - place;
        gray ^= 1 << place;
        const sign = (gray >> place) & 1 ? 1 : -1;
        linear += sign * b[i];
        for (let j = 0; j < H; j++) x[j] += sign * W[i * H + j];
      }
      // log of a product of few factors costs one logarithm; the large parts are kept outside it.
      let large = 0, product = 1;
      for (let j = 0; j < H; j++) { const y = x[j]; if (y > 0) large += y; product *= 1 + Math.exp(y > 0 ? -y : y); }
      out[gray] = -linear - large - Math.log(product);
    }
    return out;
  }
  /** One chain's states from given chance: [v0, h1, v1, h2, v2, …], as state numbers. */
  walk(start, chance, sweeps) {
    const { V, H, W, b, c } = this, path = [start];
    let v = start, u = 0;
    for (let t = 0; t < sweeps; t++) {
      const x = this.inputs(v), y = Float64Array.from(b);
      let h = 0;
      for (let j = 0; j < H; j++) {
        const on = chance[u++] < sigmoid(x[j]) ? 1 : 0;
        h = (h << 1) | on;
        if (on) for (let i = 0; i < V; i++) y[i] += W[i * H + j];
      }
      v = 0;
      for (let i = 0; i < V; i++) v = (v << 1) | (chance[u++] < sigmoid(y[i]) ? 1 : 0);
      path.push(h, v);
    }
    return path;
  }
}

class Learn extends View {
  constructor(root) { super(root);
    this.box = el("div", { class: "learn", tabindex: "-1" });
    root.append(this.box);
    this.at = 0; this.view = "distribution"; this.playing = false; this.speed = 50;
    this.stage = 0; this.many = 0; this.hop = 0; this.hopping = false; this.curves = {}; this.nonce = null;
    this.tables = new Map();
    this.em = 1;
    this.build();
    this.observer = onResize(this, this.box);
  }
  close() { this.playing = this.hopping = false; this.observer.disconnect(); }

  // --- the page's parts, made once -------------------------------------------------------------------------
  build() {
    const button = (name, label, path, act, more = {}) =>
      el("button", { type: "button", title: label, "aria-label": label, onclick: act, ...more }, icon(path), ...(name ? [el("span", {}, name)] : []));
    this.tabs = VIEWS.map(([name, words]) => el("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": name, onclick: () => this.look(name) }, words));
    this.panels = Object.fromEntries(VIEWS.map(([name]) => [name, el("section", { class: "view", role: "tabpanel", id: name, "aria-labelledby": `tab-${name}` })]));
    const tablist = el("div", { class: "views", role: "tablist", "aria-label": "What to look at" }, ...this.tabs);
    tablist.onkeydown = (e) => {
      const move = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
      if (!move) return;
      const k = (VIEWS.findIndex(([name]) => name === this.view) + move + VIEWS.length) % VIEWS.length;
      e.preventDefault();
      e.stopPropagation();
      this.look(VIEWS[k][0]);
      this.tabs[k].focus();
    };
    this.playButton = button("Learn", "Let the machine learn (space)", ICON.play, () => this.toggle(), { class: "main" });
    this.where = el("span", { class: "where" });
    this.speedPick = el("select", { "aria-label": "Updates per second", title: "How many updates a second it plays", onchange: (e) => { this.speed = Number(e.target.value); } }, ...SPEEDS.map((s) => el("option", { value: s }, `${s}/s`)));
    this.speedPick.value = String(this.speed);
    this.numbers = el("span", { class: "numbers" });
    this.timeCanvas = el("canvas", { tabindex: "0", role: "slider", "aria-label": "Update", "aria-valuemin": "0", title: "Drag to any moment of the learning" });
    this.timeKeys = el("span", { class: "keys" });
    this.timeTitle = el("span", { class: "note" });
    this.timeHead = el("div", { class: "head" }, this.timeTitle, el("span", { class: "keys" }, this.timeKeys, this.saves(() => this.curvePicture(), () => this.curveTable())));
    this.tip = el("div", { class: "tip", hidden: "" }, el("canvas"), el("span"));
    const buttons = el("div", { class: "row" },
      button("", "Back to before the first update", ICON.reset, () => this.go(0)), button("−1", "One update back (←)", ICON.back, () => this.go(this.at - 1)),
      this.playButton, button("+1", "Make one update (→)", ICON.step, () => this.go(this.at + 1)),
      button("+10", "Make ten updates (Shift →)", ICON.step, () => this.go(this.at + 10)), this.speedPick);
    this.time = el("div", { class: "time" }, this.timeHead, this.timeCanvas);
    const drive = el("div", { class: "drive" }, buttons, this.where, this.numbers);
    this.box.append(el("div", { class: "transport" }, drive, this.time),
      el("div", { class: "bar" }, tablist, this.saves(() => this.viewPicture(), () => this.viewTable())), ...Object.values(this.panels), this.tip);
    const scrub = (e) => this.go(Math.round(((this.spotOf(e, this.timeCanvas)[0] - 44) / (this.wide(this.timeCanvas) - 52)) * this.h.n_updates));
    this.timeCanvas.onpointerdown = (e) => { this.timeCanvas.setPointerCapture(e.pointerId); this.dragging = true; scrub(e); };
    this.timeCanvas.onpointermove = (e) => { if (this.dragging) scrub(e); };
    this.timeCanvas.onpointerup = this.timeCanvas.onpointercancel = () => { this.dragging = false; };
    this.box.onkeydown = (e) => this.key(e);
    this.buildDistribution();
    this.buildUpdate();
    this.buildGradients();
    this.buildLandscape(button);
  }
  buildDistribution() {
    this.machineTitle = el("span", { class: "title" });
    this.machineNote = el("div", { class: "note" });
    this.machineCanvas = el("canvas", { role: "img" });
    this.barsCanvas = el("canvas", { role: "img" });
    this.barsNote = el("div", { class: "note" });
    this.panels.distribution.append(el("div", { class: "pair" },
      el("div", { class: "machine" }, el("div", { class: "head" }, this.machineTitle), this.machineCanvas, this.machineNote),
      el("div", { class: "bars" }, el("div", { class: "head" }, el("span", { class: "title" }, "How likely is each picture?"),
        el("span", { class: "keys" }, this.swatch("var(--data)", "in the data"), this.swatch("var(--model)", "in the machine"))), this.barsCanvas, this.barsNote)));
    this.barsCanvas.onpointermove = (e) => this.hoverBars(e);
    this.barsCanvas.onpointerleave = () => this.hush();
  }
  buildUpdate() {
    this.stageButtons = STAGES.map((name, k) => el("button", { type: "button", onclick: () => this.toStage(k) }, `${k + 1} ${name}`));
    this.nextStage = el("button", { type: "button", class: "next", onclick: () => this.advance() });
    this.says = el("div", { class: "says", "aria-live": "polite" });
    const card = (stage, name) => { const c = el("div", { class: "card" }, el("div", { class: "name" }, name), el("canvas", { role: "img" }), el("div", { class: "note" })); c.stage = stage; return c; };
    this.cards = { data: card(0, "Data"), positive: card(1, "Positive statistics"), chain: card(2, "Chains"), negative: card(3, "Negative statistics"),
      difference: card(4, "Difference = gradient"), before: card(5, "Weights before"), after: card(5, "Weights after") };
    const c = this.cards, sign = (text) => el("span", { class: "sign", "aria-hidden": "true" }, text);
    this.rateSign = sign("");
    this.panels.update.append(el("div", { class: "stages" }, ...this.stageButtons, this.nextStage), this.says,
      el("div", { class: "flow" }, c.data, sign("→"), c.positive, sign("−"), c.negative, sign("←"), c.chain),
      el("div", { class: "flow" }, sign("="), c.difference, this.rateSign, c.before, sign("="), c.after));
    for (const name of ["positive", "negative", "difference", "before", "after"]) this.hoverMatrix(c[name].querySelector("canvas"));
  }
  buildGradients() {
    this.manyButtons = [0, 1].map((k) => el("button", { type: "button", onclick: () => { this.many = k; this.draw(); } }));
    this.guesses = ["exact", "cd1", "cd10", "pcd"].map((name) => {
      const g = el("div", { class: "guess" }, el("div", { class: "name" }), el("div", { class: "laid" }, el("canvas", { role: "img" }), el("canvas", { role: "img" })), el("div", { class: "note" }));
      g.method = name;
      this.hoverMatrix(g.querySelector("canvas"));
      return g;
    });
    this.gradientsNote = el("span", { class: "note" });
    this.turnCanvas = el("canvas", { role: "img", "aria-label": "Angle to the exact gradient, through learning" });
    this.panels.gradients.append(
      el("div", { class: "head" }, el("span", {}, el("span", { class: "title" }, "Which way is up? "), this.gradientsNote), el("span", { class: "row" }, ...this.manyButtons)),
      el("div", { class: "guesses" }, ...this.guesses), el("div", { class: "turn" }, this.turnCanvas));
  }
  buildLandscape(button) {
    this.mapCanvas = el("canvas", { role: "img" });
    this.sortCanvas = el("canvas", { role: "img" });
    this.mapNote = el("div", { class: "note" });
    this.hopButton = button("Walk", "Let the chain walk", ICON.play, () => this.toggleHop(), { class: "hop" });
    this.hopWhere = el("span", { class: "count note", "aria-live": "off" });
    this.hopNote = el("div", { class: "note", style: "flex:1 1 8rem" });
    this.walkV = el("canvas", { role: "img" });
    this.walkH = el("canvas", { role: "img" });
    this.walkNames = [el("div", { class: "name" }, "picture v"), el("div", { class: "name" }, "hidden units h")];
    this.panels.landscape.append(el("div", { class: "land" },
      el("div", { class: "map" }, el("div", { class: "head" }, el("span", { class: "title" }, "Every picture and its free energy"),
        el("span", { class: "keys" }, this.swatch("var(--data)", "in the data"), this.swatch("var(--chain)", "the chain"))), this.mapCanvas, this.mapNote),
      el("div", { class: "side" },
        el("div", { class: "title" }, "A Gibbs chain in this landscape"),
        el("div", { class: "walk" }, button("", "Back to the chain's start", ICON.reset, () => this.hopTo(0)), this.hopButton, button("half step", "Draw one layer from the other", ICON.step, () => this.hopTo(this.hop + 1)), this.hopWhere),
        el("div", { class: "walker" }, el("div", {}, this.walkNames[0], this.walkV), el("div", {}, this.walkNames[1], this.walkH), this.hopNote),
        el("div", { class: "head", style: "margin-top:0.7rem" }, el("span", { class: "name" }, "The same pictures, likeliest first")), this.sortCanvas, el("div", { class: "note" }, "Across: place among all pictures. Up: nats above the likeliest."))));
    this.mapCanvas.onpointermove = (e) => this.hoverMap(e);
    this.mapCanvas.onpointerleave = () => this.hush();
  }
  swatch(colour, words, strong) { return el("span", { class: strong ? "key strong" : "key" }, el("i", { style: `background:${colour}` }), words); }

  // --- data, commands, time ---------------------------------------------------------------------------------
  receive({ header, arrays }) {
    if (this.stale(header)) return;
    if (!header.same) {
      const before = this.h;
      this.h = header;
      this.a = arrays;
      const { n_visible: V, n_hidden: H, n_updates: T } = header;
      const size = V * H + V + H;
      this.machines = new Map();
      this.size = size;
      this.F = new Float32Array(1 << V);
      const columns = 1 << Math.ceil(V / 2);
      this.spots = Uint16Array.from({ length: 1 << V }, (_, k) => this.at_spot(Math.floor(k / columns), k % columns));
      this.known = new Set(arrays.patterns);
      this.filmKey = [header.machine, H, header.rate, header.seed].join();
      if (!before || this.curvesOf !== this.filmKey) { this.curves = {}; this.curvesOf = this.filmKey; }
      this.curves[header.method] = Float64Array.from(arrays.log_likelihood, (x) => header.best - x);
      if (!before) { this.at = header.at ?? 0; this.view = header.view ?? "distribution"; }
      else if (before.machine !== header.machine) { this.at = 0; this.hop = 0; this.stage = 0; this.pause(); }
      this.at = clamp(this.at, 0, T);
      this.scaleOfP = 1.35 * Math.max(...arrays.p_data);
      this.landed = null;
      this.walked = null;
    }
    this.h.plain = header.plain;
    const command = header.command;
    if (command && command.nonce !== this.nonce) {
      this.nonce = command.nonce;
      this.ask("done", command.nonce);
      this.obey(command);
    }
  }
  obey(command) {
    this.pause();
    this.hopping = false;
    if (command.view) this.view = command.view;
    if (command.at !== undefined) this.at = clamp(command.at < 0 ? this.h.n_updates : command.at, 0, this.h.n_updates);
    if (command.stage !== undefined) this.stage = command.stage;
    if (command.many !== undefined) this.many = command.many;
    if (command.speed) { this.speed = command.speed; this.speedPick.value = String(command.speed); }
    if (command.hop !== undefined) this.hop = command.hop;
    if (command.play) this.toggle();
    if (command.walk) this.toggleHop();
    if (command.stages) this.runStages();
    this.tell();
    requestAnimationFrame(() => requestAnimationFrame(() => { // in a small window what was asked for lies below
      if (this.room < 200) this.panels[this.view].scrollIntoView({ block: "center", behavior: REST.matches ? "auto" : "smooth" });
    }));
  }
  machine(at = this.at) {
    return new Machine(this.a.parameters.subarray(at * this.size, (at + 1) * this.size), this.h.n_visible, this.h.n_hidden);
  }
  row(name, at) { return this.a[name].subarray(at * this.size, (at + 1) * this.size); }
  look(name) { this.view = name; this.hush(); this.draw(); this.tell(); }
  go(at) {
    this.pause();
    this.set(at);
    this.tell();
  }
  set(at) {
    const to = clamp(Math.round(at), 0, this.h.n_updates);
    if (to !== this.at) { this.at = to; this.stage = 0; this.reveal = 0; }
    this.draw();
  }
  tell() {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => { if (this.h && !this.playing) this.say("moment", { view: this.view, at: this.at, film: this.version }); }, 350);
  }
  toggle() { if (this.playing) { this.pause(); this.tell(); this.draw(); } else this.play(); }
  play() {
    if (this.at >= this.h.n_updates) this.set(0);
    this.playing = true;
    let before = performance.now(), owed = 0;
    const tick = (now) => {
      if (!this.playing || !this.box.isConnected) return;
      if (this.replaced()) { this.pause(); this.draw(); return; }
      owed += (Math.min(now - before, 250) * this.speed) / 1000;
      before = now;
      const steps = Math.floor(owed);
      owed -= steps;
      if (steps) this.set(this.at + steps);
      if (this.at >= this.h.n_updates) { this.pause(); this.tell(); this.draw(); return; }
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
    this.draw();
  }
  pause() { this.playing = false; }
  /** The page says through its style that another machine is on its way. */
  replaced() { return getComputedStyle(this.box).getPropertyValue("--waiting").trim() === "1"; }
  toggleHop() {
    if (this.hopping) { this.hopping = false; this.draw(); return; }
    const last = 2 * (this.a.chance.shape[0]);
    if (this.hop >= last) this.hop = 0;
    this.hopping = true;
    let before = performance.now();
    const tick = (now) => {
      if (!this.hopping || !this.box.isConnected || this.view !== "landscape") { this.hopping = false; return; }
      if (now - before > 180) {
        before = now;
        this.hop = Math.min(last, this.hop + 1);
        if (this.hop >= last) this.hopping = false;
        this.draw();
      }
      if (this.hopping) requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
    this.draw();
  }
  hopTo(hop) { this.hopping = false; this.hop = clamp(hop, 0, 2 * this.a.chance.shape[0]); this.draw(); }
  key(e) {
    const tag = e.composedPath()[0].tagName;
    if (e.ctrlKey || e.metaKey || e.altKey || tag === "SELECT") return;
    const far = e.shiftKey ? 10 : 1;
    if (e.key === " " && tag !== "BUTTON") this.toggle();
    else if (e.key === "ArrowRight") this.go(this.at + far);
    else if (e.key === "ArrowLeft") this.go(this.at - far);
    else if (e.key === "Home" && tag === "CANVAS") this.go(0);
    else if (e.key === "End" && tag === "CANVAS") this.go(this.h.n_updates);
    else return;
    e.preventDefault();
  }

  // --- taking away ------------------------------------------------------------------------------------------
  saves(picture, table) {
    const view = this;
    return saveButtons({ picture, table, draw: () => { if (view.h) view.paint(); }, get ink() { return view.ink; } });
  }
  source() {
    const { h } = this;
    return { seed: h.seed, more: `${h.title}, ${h.method_names[h.method]}, ${times(h.n_hidden, "hidden unit")}, rate ${pretty(h.rate)}, update ${this.at}` };
  }
  called(what) { return `learn-${this.h.machine}-${this.h.method}-seed-${this.h.seed}-update-${this.at}-${what}`; }
  curvePicture() {
    const known = Object.keys(this.h.method_names).filter((m) => this.curves[m]);
    return { title: "KL(data ‖ machine), nats, update by update", name: this.called("kl"), of: this.source(), rows: [[this.timeCanvas]], legend: known.map((m) => [this.line(m), this.h.method_names[m]]) };
  }
  curveTable() {
    const known = Object.keys(this.h.method_names).filter((m) => this.curves[m]);
    return { columns: ["update", ...known.map((m) => `kl_${m}_nats`)], rows: Array.from(this.curves[this.h.method], (_, t) => [t, ...known.map((m) => this.curves[m][t])]) };
  }
  viewPicture() {
    const { cards, colour } = this, named = (one) => ({ canvas: one.querySelector("canvas"), name: one.querySelector(".name").textContent });
    const data = [colour.data, "in the data"], whose = { name: this.called(this.view), of: this.source() };
    if (this.view === "distribution") return { ...whose, title: "How likely is each picture?", note: this.barsNote.textContent,
      rows: [[{ canvas: this.machineCanvas, name: this.machineTitle.textContent }, { canvas: this.barsCanvas }]], legend: [data, [colour.model, "in the machine"]] };
    if (this.view === "update") return { ...whose, title: "One update in slow motion", note: this.says.textContent,
      rows: [[cards.data, cards.positive, cards.negative, cards.chain].map(named), [cards.difference, cards.before, cards.after].map(named)] };
    if (this.view === "gradients") return { ...whose, title: "Which way is up?", note: this.gradientsNote.textContent,
      rows: [this.guesses.map(named), this.guesses.map((g) => g.querySelector("canvas + canvas")), [this.turnCanvas]] };
    return { ...whose, title: "Every picture and its free energy", note: this.mapNote.textContent, legend: [data, [colour.chain, "the chain"]],
      rows: [[this.mapCanvas], [{ canvas: this.walkV, name: "picture v" }, { canvas: this.walkH, name: "hidden units h" }], [{ canvas: this.sortCanvas, name: "The same pictures, likeliest first: nats above the likeliest" }]] };
  }
  viewTable() {
    const { h, a } = this, { n_visible: V, n_hidden: H } = h;
    if (this.view === "update" || this.view === "gradients") {
      const names = [...Array.from({ length: V * H }, (_, k) => `w_${Math.floor(k / H) + 1}_${(k % H) + 1}`), ...Array.from({ length: V }, (_, i) => `b_${i + 1}`), ...Array.from({ length: H }, (_, j) => `c_${j + 1}`)];
      const at = Math.min(this.at, h.n_updates - 1), row = (name, t) => this.row(name, t);
      const parts = this.view === "update"
        ? { positive: row("positive", at), negative: row("negative", at), difference: row("positive", at).map((x, k) => x - row("negative", at)[k]), before: row("parameters", at), after: row("parameters", at + 1) }
        : Object.fromEntries(this.guesses.map((g) => [g.method, this.gradient(g.method, this.moment())]));
      return { columns: ["parameter", ...Object.keys(parts)], rows: names.map((name, k) => [name, ...Object.values(parts).map((x) => x[k])]) };
    }
    const F = this.machine().landscape(new Float32Array(1 << V)), share = new Map(Array.from(a.patterns, (v, k) => [v, a.p_data[k]]));
    return { columns: ["picture", "p_data", "p_machine", "free_energy_nats"],
      rows: Array.from(F, (f, v) => [v.toString(2).padStart(V, "0"), share.get(v) || 0, Math.exp(-f - a.log_z[this.at]), f]) };
  }

  // --- drawing ----------------------------------------------------------------------------------------------
  draw() {
    if (!this.ink || !this.h || !this.box.clientWidth) return;
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => { this.waiting = 0; if (this.box.isConnected) this.paint(); });
  }
  paint() {
    const { h, at } = this;
    this.em = textScale();
    this.box.classList.toggle("dark", this.dark);
    if (this.themed !== this.dark) {
      this.themed = this.dark;
      this.landed = null;
      const stops = PALETTE[this.dark ? "dark" : "light"].diverging;
      this.stops = stops;
      this.signed = stops;
      this.depth = this.dark ? ["#0B0D12", "#155488", "#2E8BD0", "#BFE2FF"] : ["#FFFFFF", "#B9D7EC", "#3C8DC5", "#0B3F70"];
    }
    const style = getComputedStyle(this.box);
    this.colour = Object.fromEntries(["data", "model", "chain"].map((n) => [n, style.getPropertyValue(`--${n}`).trim()]));
    for (const [k, [name]] of VIEWS.entries()) {
      const on = name === this.view;
      this.tabs[k].setAttribute("aria-selected", String(on));
      this.tabs[k].tabIndex = on ? 0 : -1;
      this.panels[name].hidden = !on;
    }
    const icon = this.playButton.querySelector("path"), words = this.playButton.querySelector("span");
    icon.setAttribute("d", this.playing ? ICON.pause : ICON.play);
    words.textContent = this.playing ? "Pause" : "Learn";
    this.playButton.setAttribute("aria-label", this.playing ? "Pause (space)" : "Let the machine learn (space)");
    this.where.textContent = `update ${at.toLocaleString("en-US")} of ${h.n_updates.toLocaleString("en-US")}`;
    const ll = this.a.log_likelihood[at];
    const pair = (name, value, title) => el("span", { title }, `${name} `, el("b", {}, value));
    this.plain = Boolean(h.plain);
    this.timeTitle.textContent = this.plain ? "distance from machine to data, nats" : "KL(data ‖ machine), nats";
    if (this.plain) this.numbers.replaceChildren(pair("distance", `${this.fixed(h.best - ll)} nats`, "How far the machine's probabilities are from the data's; zero is perfect. Later lessons call it KL."));
    else this.numbers.replaceChildren(
      pair("log-likelihood", `${this.fixed(ll)} nats`, `The mean of log p(v) over the data. The best possible is ${this.fixed(h.best)} nats.`),
      pair("best", this.fixed(h.best), "The best possible log-likelihood, in nats: reached when the machine's probabilities equal the data's."),
      pair("KL", `${this.fixed(h.best - ll)} nats`, "The distance still to go: best possible minus log-likelihood."));
    Object.assign(this.box.dataset, { at, view: this.view, method: h.method, machine: h.machine, playing: this.playing, kl: (h.best - ll).toFixed(6), stage: this.stage, hop: this.hop });
    this.paintTime();
    this[{ distribution: "paintDistribution", update: "paintUpdate", gradients: "paintGradients", landscape: "paintLandscape" }[this.view]]();
    this.box.dataset.drawn = String(Number(this.box.dataset.drawn || 0) + 1);
  }
  fixed(x) { return x.toFixed(3).replace("-", "−"); }
  line(method) { return this.ink.lines[METHOD_COLOUR[method]]; }
  // Lengths are in units of the reader's text size (textScale): letters, lines and cells grow together.
  sheet(canvas, width, height) { return sharpen(canvas, width, height, this.em); }
  wide(element) { return Math.floor(element.clientWidth / this.em); }
  /** The height that the window leaves below the top of the view, when the page is not scrolled. */
  get room() {
    const page = document.querySelector("[data-testid=stMain]");
    return (window.innerHeight - this.panels[this.view].getBoundingClientRect().top - (page ? page.scrollTop : 0)) / this.em;
  }
  /** Where in a canvas the pointer is. */
  spotOf(e, canvas) {
    const box = canvas.getBoundingClientRect();
    return [(e.clientX - box.left) / this.em, (e.clientY - box.top) / this.em];
  }
  text(ctx, words, x, y, { align = "left", size = 12, alpha = 0.75, weight = 400, colour } = {}) {
    ctx.globalAlpha = alpha;
    ctx.fillStyle = colour || this.ink.text;
    ctx.font = `${weight} ${size}px ${this.ink.font}`;
    ctx.textAlign = align;
    ctx.fillText(words, x, y);
    ctx.globalAlpha = 1;
  }
  /** The first of these sentences that fits the room. */
  fitting(ctx, room, size, ...sentences) {
    ctx.font = `400 ${size}px ${this.ink.font}`;
    return sentences.find((words) => ctx.measureText(words).width <= room) || sentences[sentences.length - 1];
  }
  /** The colour at x in [0, 1] along evenly spaced stops, from a table made once. */
  mix(stops, x) {
    let table = this.tables.get(stops);
    if (!table) {
      table = Array.from(colourTable(stops), (c) => `rgb(${c & 255},${(c >> 8) & 255},${(c >> 16) & 255})`);
      this.tables.set(stops, table);
    }
    return table[Math.round(255 * clamp(x, 0, 1))];
  }
  /** One picture as small squares: on is white and off black, as on every page. */
  picture(ctx, state, x, y, cell, { shape = this.h.shape, n = this.h.n_visible, on = "#fff", values } = {}) {
    const [rows, columns] = shape;
    ctx.fillStyle = OFF;
    ctx.fillRect(x, y, columns * cell, rows * cell);
    ctx.fillStyle = on;
    for (let i = 0; i < n; i++) if (values ? values[i] : (state >> (n - 1 - i)) & 1) ctx.fillRect(x + (i % columns) * cell, y + Math.floor(i / columns) * cell, cell, cell);
    ctx.strokeStyle = EDGE;
    ctx.lineWidth = 1;
    ctx.strokeRect(x + 0.5, y + 0.5, columns * cell - 1, rows * cell - 1);
    if (cell >= 8) {
      ctx.globalAlpha = 0.5;
      ctx.beginPath();
      for (let r = 1; r < rows; r++) { ctx.moveTo(x, y + r * cell + 0.5); ctx.lineTo(x + columns * cell, y + r * cell + 0.5); }
      for (let c = 1; c < columns; c++) { ctx.moveTo(x + c * cell + 0.5, y); ctx.lineTo(x + c * cell + 0.5, y + rows * cell); }
      ctx.stroke();
    }
    ctx.globalAlpha = 1;
    // A cell without a unit is no unit that is off: nothing is drawn there.
    const last = n % columns;
    if (last) ctx.clearRect(x + last * cell + 1, y + (rows - 1) * cell + 1, (columns - last) * cell, cell);
  }
  hidden_shape() { const H = this.h.n_hidden, columns = H <= 4 ? H : Math.ceil(Math.sqrt(H)); return [Math.ceil(H / columns), columns]; }

  paintTime() {
    const { h, at } = this, width = this.wide(this.time), height = clamp(window.innerHeight / this.em / 4 - 130, 70, 130), left = 44, bottom = 18, right = 8;
    const canvas = this.timeCanvas, ctx = this.sheet(canvas, width, height), T = h.n_updates;
    const top = Math.max(...Object.values(this.curves).map((c) => c.reduce((x, y) => Math.max(x, y), 0))) * 1.05;
    const X = (t) => left + (t / T) * (width - left - right), Y = (kl) => 4 + (1 - clamp(kl / top, 0, 1)) * (height - bottom - 6);
    const keys = Object.keys(h.method_names).filter((m) => this.curves[m]);
    const keyed = [keys, h.method, this.dark, this.plain].join();
    if (this.keyed !== keyed) {
      this.keyed = keyed;
      this.timeKeys.replaceChildren(...(this.plain ? [] : keys).map((m) => this.swatch(this.line(m), h.method_names[m], m === h.method)));
    }
    ctx.strokeStyle = this.ink.line;
    for (const k of ticks(0, top, 2)) {
      ctx.beginPath(); ctx.moveTo(left, Y(k)); ctx.lineTo(width - right, Y(k)); ctx.stroke();
      this.text(ctx, String(Number(k.toPrecision(3))), left - 6, Y(k) + 4, { align: "right", size: 11 });
    }
    this.updates(ctx, X, height - 4, width);
    for (const m of [...keys.filter((m) => m !== h.method), h.method]) {
      const curve = this.curves[m], shown = m === h.method;
      const path = (until) => {
        ctx.beginPath();
        const every = Math.max(1, Math.floor(T / (width * 2)));
        for (let t = 0; t <= until; t += every) ctx.lineTo(X(t), Y(curve[t]));
        ctx.lineTo(X(until), Y(curve[until]));
        ctx.stroke();
      };
      ctx.strokeStyle = this.line(m);
      ctx.lineJoin = "round";
      ctx.globalAlpha = shown ? 0.35 : 0.55;
      ctx.lineWidth = 1.25;
      path(T);
      ctx.globalAlpha = 1;
      if (shown) { ctx.lineWidth = 2.5; path(at); }
    }
    ctx.lineWidth = 1.5;
    ctx.strokeStyle = this.ink.text;
    ctx.beginPath(); ctx.moveTo(X(at), 2); ctx.lineTo(X(at), height - bottom + 2); ctx.stroke();
    ctx.fillStyle = this.line(h.method);
    ctx.beginPath(); ctx.arc(X(at), Y(this.curves[h.method][at]), 5, 0, 7); ctx.fill();
    ctx.strokeStyle = this.ink.paper; ctx.stroke();
    ctx.lineWidth = 1;
    canvas.setAttribute("aria-valuemax", String(T));
    canvas.setAttribute("aria-valuenow", String(at));
    canvas.setAttribute("aria-valuetext", `update ${at} of ${T}, KL ${this.curves[h.method][at].toFixed(3)} nats`);
  }

  updates(ctx, X, y, width) {
    const T = this.h.n_updates;
    for (const t of ticks(0, T, width / 130)) this.text(ctx, t ? t.toLocaleString("en-US") : "0 updates", X(t), y, { align: t === 0 ? "left" : t === T ? "right" : "center", size: 11 });
  }

  // Distribution
  paintDistribution() {
    const { h, a } = this, m = this.machine(), log_z = a.log_z[this.at], n = a.patterns.length;
    this.probabilities = Array.from(a.patterns, (v) => Math.exp(-m.freeEnergy(v) - log_z));
    const mass = this.probabilities.reduce((x, y) => x + y, 0), all = 1 << h.n_visible;
    const width = this.wide(this.barsCanvas.parentElement), left = 40;
    const slot = Math.min(190, (width - left) / n), [rows, columns] = h.shape;
    const cell = Math.max(2, Math.floor(Math.min((slot - 4) / columns, n <= 4 ? 26 : n <= 16 ? 10 : 6)));
    const rest = all > n, foot = rows * cell + 12, high = clamp(this.room - foot - (rest ? 146 : 106), 130, 560), gauge = rest ? 40 : 0, height = gauge + high + foot + 6;
    const ctx = this.sheet(this.barsCanvas, width, height), top = this.scaleOfP;
    if (rest) {
      const w = width - left - 2, cut = Math.round(w * mass);
      ctx.fillStyle = this.colour.model; ctx.fillRect(left, 2, cut, 12);
      ctx.strokeStyle = this.ink.line; ctx.strokeRect(left + 0.5, 2.5, w - 1, 11);
      const here = `${(100 * mass).toFixed(1)} % of the machine's probability is on these ${n} pictures`;
      this.text(ctx, this.fitting(ctx, width - left, 12, `${here}, the rest on ${(all - n).toLocaleString("en-US")} others`, here, `${(100 * mass).toFixed(1)} % of the machine is on these ${n} pictures`), left, 29, { alpha: 0.9 });
    }
    const Y = (p) => gauge + high - clamp(p / top, 0, 1) * (high - 10);
    for (const p of ticks(0, top, 4)) {
      ctx.strokeStyle = this.ink.line;
      ctx.beginPath(); ctx.moveTo(left, Y(p) + 0.5); ctx.lineTo(width, Y(p) + 0.5); ctx.stroke();
      this.text(ctx, `${Number((100 * p).toPrecision(3))} %`, left - 6, Y(p) + 4, { align: "right", size: 11 });
    }
    const w = Math.min(48, slot * 0.38);
    this.slots = { left, slot, gauge, height };
    for (let k = 0; k < n; k++) {
      const x = left + (k + 0.5) * slot, p = this.probabilities[k];
      ctx.fillStyle = this.colour.data; ctx.fillRect(x - w - 0.5, Y(a.p_data[k]), w, gauge + high - Y(a.p_data[k]));
      ctx.fillStyle = this.colour.model; ctx.fillRect(x + 0.5, Y(p), w, gauge + high - Y(p));
      if (n <= 4) {
        this.text(ctx, `${(100 * a.p_data[k]).toFixed(1)} %`, x - w / 2 - 3, Y(a.p_data[k]) - 5, { align: "center", size: 11, alpha: 0.9 });
        this.text(ctx, `${(100 * p).toFixed(1)} %`, x + w / 2 + 3, Y(p) - 5 - (Math.abs(Y(p) - Y(a.p_data[k])) < 12 ? 12 : 0), { align: "center", size: 11, alpha: 0.9 });
      }
      this.picture(ctx, a.patterns[k], Math.round(x - (columns * cell) / 2), gauge + high + 8, cell);
    }
    this.barsNote.textContent = rest
      ? `Each of the ${h.n_cases} cases is equally likely in the data; all-off and all-on are counted twice, as bars and as stripes.`
      : "Two pixels can be off or on, so there are four pictures. In the data the pixels agree in ten cases of twelve.";
    this.barsCanvas.setAttribute("aria-label", `Probability of ${n} pictures in the data and in the machine; ${(100 * mass).toFixed(1)} % of the machine's lies on them.`);
    this.box.dataset.mass = mass.toFixed(6);
    if (h.n_visible <= 4) this.paintGraph(m); else this.paintFilters(m);
  }
  paintGraph(m) {
    const { V, H } = m, width = this.wide(this.machineCanvas.parentElement), height = clamp(this.room - 92, 200, 420);
    const ctx = this.sheet(this.machineCanvas, width, height), scale = Math.max(2, ...Array.from(m.W, Math.abs));
    const place = (k, n) => (width * (k + 1)) / (n + 1), up = 52, down = height - 58;
    this.machineTitle.textContent = "The machine";
    this.machineNote.textContent = "Squares: pixels; circles: hidden units. A red line wants both ends on together, a blue one does not.";
    for (let i = 0; i < V; i++) for (let j = 0; j < H; j++) {
      const w = m.W[i * H + j], x0 = place(i, V), x1 = place(j, H);
      ctx.strokeStyle = this.mix(this.stops, w > 0 ? 0.8 : 0.2);
      ctx.globalAlpha = 0.25 + 0.75 * Math.min(1, Math.abs(w) / 2);
      ctx.lineWidth = 1 + 9 * Math.min(1, Math.abs(w) / scale) * Math.min(1, scale / 6);
      ctx.beginPath(); ctx.moveTo(x0, down); ctx.lineTo(x1, up); ctx.stroke();
      ctx.globalAlpha = 1;
      const mx = x0 + (x1 - x0) * (H > 2 ? 0.25 : 0.42), my = down + (up - down) * (H > 2 ? 0.25 : 0.42);
      ctx.fillStyle = this.ink.paper; ctx.fillRect(mx - 21, my - 10, 42, 18);
      this.text(ctx, w.toFixed(2).replace("-", "−"), mx, my + 4, { align: "center", alpha: 1, size: 12, weight: 600 });
    }
    ctx.lineWidth = 2;
    const node = (x, y, round, name, bias) => {
      ctx.fillStyle = this.ink.panel; ctx.strokeStyle = this.ink.text;
      ctx.beginPath();
      if (round) ctx.arc(x, y, 19, 0, 7); else ctx.rect(x - 18, y - 18, 36, 36);
      ctx.fill(); ctx.stroke();
      this.text(ctx, name, x, y + 4, { align: "center", alpha: 1, size: 12, weight: 600 });
      this.text(ctx, `bias ${bias.toFixed(2).replace("-", "−")}`, x, round ? y - 28 : y + 35, { align: "center", alpha: 0.9 });
    };
    for (let j = 0; j < H; j++) node(place(j, H), up, true, H > 1 ? `h${j + 1}` : "h", m.c[j]);
    for (let i = 0; i < V; i++) node(place(i, V), down, false, `v${i + 1}`, m.b[i]);
    ctx.lineWidth = 1;
    this.machineCanvas.setAttribute("aria-label", `Weights ${Array.from(m.W, (w) => w.toFixed(2)).join(", ")}`);
  }
  paintFilters(m) {
    const { V, H } = m, [rows, columns] = this.h.shape, width = this.wide(this.machineCanvas.parentElement);
    const across = H <= 4 ? 2 : H <= 9 ? 3 : 4, gap = 14, down = Math.ceil(H / across);
    const cell = Math.max(4, Math.floor(Math.min((width - gap * (across - 1)) / across / columns, (clamp(this.room - 120, 180, 460) - down * 22) / down / rows, 36)));
    const tall = rows * cell + 22, ctx = this.sheet(this.machineCanvas, width, down * tall + 26);
    const scale = Math.max(1, ...Array.from(m.W, Math.abs));
    this.machineTitle.textContent = "The weights";
    this.machineNote.textContent = `One tile per hidden unit: red pixels it asks to be on, blue ones off. Below each, its bias c.`;
    for (let j = 0; j < H; j++) {
      const x = (j % across) * (columns * cell + gap), y = Math.floor(j / across) * tall;
      for (let i = 0; i < V; i++) {
        ctx.fillStyle = this.mix(this.stops, 0.5 + m.W[i * H + j] / scale / 2);
        ctx.fillRect(x + (i % columns) * cell, y + Math.floor(i / columns) * cell, cell, cell);
      }
      ctx.strokeStyle = this.ink.line; ctx.strokeRect(x + 0.5, y + 0.5, columns * cell - 1, rows * cell - 1);
      this.text(ctx, m.c[j].toFixed(1).replace("-", "−"), x + (columns * cell) / 2, y + rows * cell + 13, { align: "center", size: 11 });
    }
    this.ramp(ctx, 0, down * tall + 4, Math.min(150, width - 80), this.stops, `−${pretty(scale, 2)}`, `+${pretty(scale, 2)}`);
    this.machineCanvas.setAttribute("aria-label", `${H} hidden units' weights, on one scale from −${pretty(scale, 2)} to ${pretty(scale, 2)}`);
  }
  ramp(ctx, x, y, width, stops, low, high) {
    ctx.font = `11px ${this.ink.font}`;
    const before = ctx.measureText(low).width + 6, g = ctx.createLinearGradient(x + before, 0, x + before + width, 0);
    stops.forEach((s, k) => g.addColorStop(k / (stops.length - 1), s));
    this.text(ctx, low, x, y + 11, { size: 11 });
    ctx.fillStyle = g; ctx.fillRect(x + before, y + 2, width, 10);
    ctx.strokeStyle = this.ink.line; ctx.strokeRect(x + before + 0.5, y + 2.5, width - 1, 9);
    this.text(ctx, high, x + before + width + 6, y + 11, { size: 11 });
  }
  hoverBars(e) {
    if (!this.slots) return;
    const [x, y] = this.spotOf(e, this.barsCanvas), k = Math.floor((x - this.slots.left) / this.slots.slot);
    if (k < 0 || k >= this.a.patterns.length || y < this.slots.gauge) { this.hush(); return; }
    this.tell_tip(e, this.a.patterns[k], `in the data ${(100 * this.a.p_data[k]).toFixed(2)} %\nin the machine ${(100 * this.probabilities[k]).toFixed(2)} %`);
  }
  tell_tip(e, state, words) {
    const box = this.box.getBoundingClientRect(), [canvas, span] = this.tip.children;
    canvas.hidden = state === null;
    canvas.style.display = state === null ? "none" : "";
    if (state !== null) {
      const cell = this.h.n_visible <= 4 ? 18 : 10;
      this.picture(this.sheet(canvas, this.h.shape[1] * cell, this.h.shape[0] * cell), state, 0, 0, cell);
    }
    span.textContent = words;
    this.tip.hidden = false;
    const x = e.clientX - box.left + 14, y = e.clientY - box.top + 14;
    this.tip.style.transform = `translate(${Math.min(x, box.width - this.tip.offsetWidth - 4)}px, ${y}px)`;
  }
  hush() { this.tip.hidden = true; }

  // Matrices: rows are pixels, columns hidden units; the last row and column are the biases.
  matrix(canvas, flat, { low, high, stops, most = 230, tall = 250, name }) {
    const { n_visible: V, n_hidden: H } = this.h, gap = 5;
    const head = 15, numbers = V <= 4 && H <= 4, fit = (room, n, most) => Math.floor(clamp((room - gap) / (n + 1), 8, most));
    let cell = fit(most, H, 46), line = fit(tall - head, V, 44);
    if (!numbers) cell = line = Math.min(cell, line); // squares; numbers are wider than high
    const x = (j) => j * cell + (j === H ? gap : 0), y = (i) => head + i * line + (i === V ? gap : 0);
    const ctx = this.sheet(canvas, (H + 1) * cell + gap, head + (V + 1) * line + gap);
    this.text(ctx, H * cell < 72 ? "h" : "hidden units", (H * cell) / 2, 10, { align: "center", size: 11 });
    this.text(ctx, "b", x(H) + cell / 2, 10, { align: "center", size: 11 });
    this.text(ctx, "c", x(H) + 2, y(V) + line / 2 + 4, { size: 11 });
    const value = (i, j) => i < V ? (j < H ? flat[i * H + j] : flat[V * H + i]) : j < H ? flat[V * H + V + j] : null;
    for (let i = 0; i <= V; i++) for (let j = 0; j <= H; j++) {
      const z = value(i, j);
      if (z === null) continue;
      const shade = (z - low) / (high - low || 1);
      ctx.fillStyle = this.mix(stops, shade);
      ctx.fillRect(x(j), y(i), cell - 1, line - 1);
      if (numbers && cell >= 40) {
        const dark = stops === this.stops ? Math.abs(shade - 0.5) > 0.22 : shade > 0.5;
        this.text(ctx, z.toFixed(2).replace("-", "−"), x(j) + cell / 2 - 0.5, y(i) + line / 2 + 4, { align: "center", size: 12, alpha: 1, weight: 600, colour: dark !== this.dark ? "#fff" : dark ? "#111" : this.ink.text });
      }
    }
    ctx.strokeStyle = this.ink.line;
    ctx.strokeRect(0.5, head + 0.5, H * cell - 1, V * line - 1);
    canvas.matrix = { cell, line, gap, head, value, name };
    canvas.setAttribute("aria-label", `${name}: ${V} pixels by ${H} hidden units, and the biases`);
  }
  hoverMatrix(canvas) {
    canvas.onpointermove = (e) => {
      const m = canvas.matrix;
      if (!m) return;
      const { n_visible: V, n_hidden: H, shape } = this.h, [x, y] = this.spotOf(e, canvas);
      const at = (z, n, size) => { const k = Math.floor(z / size); return k < n ? k : z >= n * size + m.gap ? n : -1; };
      const j = at(x, H, m.cell), i = at(y - m.head, V, m.line);
      if (i < 0 || j < 0 || i > V || j > H || (i === V && j === H)) { this.hush(); return; }
      const pixel = `pixel row ${Math.floor(i / shape[1]) + 1}, column ${(i % shape[1]) + 1}`, unit = `hidden unit ${j + 1}`;
      const whose = i === V ? `bias of ${unit}` : j === H ? `bias of ${pixel}` : `${pixel} · ${unit}`;
      this.tell_tip(e, null, `${m.name}\n${whose}: ${pretty(m.value(i, j))}`);
    };
    canvas.onpointerleave = () => this.hush();
  }

  // One update
  toStage(k) { this.stage = k; this.reveal = 0; this.pause(); this.running = false; this.draw(); }
  advance() {
    this.running = false;
    if (this.stage < STAGES.length - 1) { this.toStage(this.stage + 1); return; }
    this.go(this.at >= this.h.n_updates - 1 ? 0 : this.at + 1);
  }
  runStages() {
    this.running = true;
    let before = performance.now();
    const tick = (now) => {
      if (!this.running || !this.box.isConnected || this.view !== "update") return;
      if (now - before > 2600) {
        before = now;
        if (this.stage >= STAGES.length - 1) { this.running = false; return; }
        this.stage += 1; this.reveal = 0;
        this.draw();
      }
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }
  paintUpdate() {
    const { h, a, cards } = this, at = Math.min(this.at, h.n_updates - 1), stage = this.stage;
    const rate = h.rate * (1 - at / h.n_updates);
    this.stageButtons.forEach((b, k) => b.setAttribute("aria-pressed", String(k === stage)));
    this.nextStage.textContent = stage < STAGES.length - 1 ? `Next: ${STAGES[stage + 1].toLowerCase()} →` : at < h.n_updates - 1 ? "Start the next update →" : "Back to the first update";
    for (const c of Object.values(cards)) { c.classList.toggle("later", c.stage > stage); c.classList.toggle("now", c.stage === stage); }
    const sweeps = h.sweeps, exact = !sweeps, pcd = h.method === "pcd";
    const chainWords = exact
      ? "No chain is needed here: this machine is so small that all its pictures can be counted. These are the pictures it likes best at the moment."
      : `${pcd ? "Each chain goes on from where the last update left it" : "A chain starts at each picture of the data"} and makes ${times(sweeps, "sweep")}: the hidden units are drawn from the picture, then a new picture from the hidden units. ${h.chains[0]} chains run; ${a.starts.shape[1]} are drawn here, one of them with every half step.`;
    this.says.textContent = [
      `Update ${at + 1}. The machine is shown the data: ${h.n_cases} pictures. Nothing has changed yet.`,
      "For each picture the hidden units say how likely they are to be on. How often are pixel and hidden unit on together, on average? One number for each pair, from 0 to 1.",
      chainWords,
      exact ? "The same averages, now over all pictures as often as the machine itself would show them." : "The same averages, now over the pictures where the chains ended: what the machine believes in.",
      "What the data do minus what the machine does. Red: the data have these two on together more often, so the weight should grow. Blue: less often, so it should shrink.",
      `Each weight takes a small step: ${pretty(rate, 3)} times the difference (the learning rate falls to zero as learning goes on). Then the next update begins.`,
    ][stage];
    // pictures
    const small = h.n_visible <= 4 ? 15 : h.n_visible <= 9 ? 8 : 6, [rows, columns] = h.shape, pw = columns * small, ph = rows * small;
    const cases = a.patterns.length, many = h.n_visible <= 4 ? 2 : cases > 16 ? 6 : 4;
    const dataCtx = this.sheet(cards.data.children[1], many * (pw + 8), Math.ceil(cases / many) * (ph + (h.n_visible <= 4 ? 20 : 8)));
    for (let k = 0; k < cases; k++) {
      const x = (k % many) * (pw + 8), y = Math.floor(k / many) * (ph + (h.n_visible <= 4 ? 20 : 8));
      this.picture(dataCtx, a.patterns[k], x, y, small);
      if (h.n_visible <= 4) this.text(dataCtx, `× ${Math.round(a.p_data[k] * h.n_cases)}`, x + pw / 2, y + ph + 13, { align: "center", size: 11 });
    }
    cards.data.children[2].textContent = `${h.n_cases} cases`;
    this.paintChain(at, small, pw, ph);
    const tables = { low: 0, high: 1, stops: this.depth }, width = this.wide(this.box);
    const wide = clamp(width / 4.8, 110, 230), tall = clamp((this.room - 204) / 2, 92, 240);
    const room = { most: wide, tall };
    const matrix = (card, flat, more, words) => { this.matrix(card.children[1], flat, { ...room, ...more, name: card.children[0].textContent }); card.children[2].textContent = words; };
    const positive = this.row("positive", at), negative = this.row("negative", at);
    matrix(cards.positive, positive, tables, `0 ${this.dark ? "black" : "white"}, 1 blue`);
    matrix(cards.negative, negative, tables, "the same scale");
    const difference = positive.map((x, k) => x - negative[k]), reach = Math.max(1e-3, ...Array.from(difference, Math.abs));
    matrix(cards.difference, difference, { low: -reach, high: reach, stops: this.stops }, `−${pretty(reach, 2)} blue, +${pretty(reach, 2)} red`);
    const before = this.row("parameters", at), after = this.row("parameters", at + 1), w = Math.max(0.5, ...Array.from(before, Math.abs), ...Array.from(after, Math.abs));
    const scale = { low: -w, high: w, stops: this.stops };
    matrix(cards.before, before, scale, `−${pretty(w, 2)} blue, +${pretty(w, 2)} red`);
    matrix(cards.after, after, scale, "the same scale");
    this.rateSign.textContent = `× ${pretty(rate, 3)} +`;
    this.rateSign.style.opacity = stage < 5 ? 0.15 : 1;
  }
  paintChain(at, small, pw, ph) {
    const { h, a, cards } = this, canvas = cards.chain.children[1], note = cards.chain.children[2];
    if (!h.sweeps) {
      const m = this.machine(at), log_z = a.log_z[at], best = this.likeliest(m, 12), many = h.n_visible <= 4 ? 2 : 4;
      const w = Math.max(pw + 8, 44), tall = ph + 20, ctx = this.sheet(canvas, many * w, Math.ceil(best.length / many) * tall);
      best.forEach((v, k) => {
        const x = (k % many) * w + (w - pw) / 2, y = Math.floor(k / many) * tall;
        this.picture(ctx, v, x, y, small);
        this.text(ctx, `${(100 * Math.exp(-m.freeEnergy(v) - log_z)).toFixed(1)} %`, x + pw / 2, y + ph + 13, { align: "center", size: 11 });
      });
      cards.chain.children[0].textContent = "All pictures";
      note.textContent = h.n_visible <= 4 ? "each with its p(v)" : "the likeliest, each with its p(v)";
      return;
    }
    const n = a.starts.shape[1], one = n - 1, k = h.sweeps, H = h.n_hidden, hs = this.hidden_shape(), hc = Math.max(3, Math.floor(small * 0.75)), hw = hs[1] * hc, hh = hs[0] * hc;
    const v = (t, c) => t === 0 ? a.starts[at * n + c] : a.v_path[(at * k + t - 1) * n + c], hid = (t, c) => a.h_path[(at * k + t - 1) * n + c];
    const full = REST.matches ? 2 * k : this.stage === 2 ? this.reveal || 0 : this.stage > 2 ? 2 * k : 0;
    const unit = pw + hw + 22, per = k > 1 ? Math.max(2, Math.min(4, Math.floor(330 / unit))) : 1, lines = Math.ceil(k / per);
    const tall = Math.max(ph, hh) + 8, head = 15, block = head + lines * tall, pairW = 2 * pw + 30, cols = k > 1 ? 4 : Math.min(3, n);
    const others = n - 1, ctx = this.sheet(canvas, Math.max(pw + 12 + per * unit, cols * (pairW - 4)), block + head + Math.ceil(others / cols) * (ph + 7));
    this.text(ctx, "one chain: v → h → v …", 0, 10, { size: 11 });
    for (let line = 0; line < lines; line++) {
      const y = head + line * tall;
      for (let s = 0; s <= per; s++) {
        const t = line * per + s, x = s * unit;
        if (t > k) break;
        if (s > 0 || line === 0) { if (2 * t <= full) this.picture(ctx, v(t, one), x, y, small, { on: t === k ? this.colour.chain : undefined }); }
        else this.text(ctx, "…", x + pw / 2, y + ph / 2 + 3, { align: "center" });
        if (s < per && t < k && 2 * t + 1 <= full) {
          this.text(ctx, "→", x + pw + 5.5, y + ph / 2 + 4, { align: "center", size: 11 });
          this.picture(ctx, hid(t + 1, one), x + pw + 11, y + (ph - hh) / 2, hc, { shape: hs, n: H, on: this.line("exact") });
          this.text(ctx, "→", x + pw + 16.5 + hw, y + ph / 2 + 4, { align: "center", size: 11 });
        }
      }
    }
    if (full >= 2 * k) {
      this.text(ctx, "the others: start → end", 0, block + 11, { size: 11 });
      for (let c = 0; c < one; c++) {
        const x = (c % cols) * (pairW - 4), y = block + head + Math.floor(c / cols) * (ph + 7);
        this.picture(ctx, v(0, c), x, y, small);
        this.text(ctx, "→", x + pw + 7, y + ph / 2 + 4, { align: "center", size: 11 });
        this.picture(ctx, v(k, c), x + pw + 14, y, small, { on: this.colour.chain });
      }
    }
    cards.chain.children[0].textContent = "Chains";
    note.textContent = `${times(k, "sweep")}, ${h.chains[0]} chains`;
    canvas.setAttribute("aria-label", `${n} of ${h.chains[0]} chains over ${times(k, "sweep")}`);
    if (this.stage === 2 && full < 2 * k) {
      clearTimeout(this.revealing);
      this.revealing = setTimeout(() => { if (this.stage === 2) { this.reveal = (this.reveal || 0) + 1; this.draw(); } }, clamp(1800 / (2 * k), 90, 500));
    }
  }
  likeliest(m, count) {
    const F = m.landscape(new Float32Array(1 << m.V)), best = [];
    for (let v = 0; v < F.length; v++) {
      if (best.length === count && F[v] >= F[best[count - 1]]) continue;
      best.push(v);
      best.sort((x, y) => F[x] - F[y]);
      if (best.length > count) best.pop();
    }
    return best;
  }

  // Gradients
  /** The last moment, up to the update looked at, at which gradients were compared. */
  moment() {
    let k = 0;
    while (k + 1 < this.a.moments.length && this.a.moments[k + 1] <= this.at) k++;
    return k;
  }
  gradient(method, k) {
    if (method === "exact") return this.row("exact", k);
    const from = ((this.many * 3 + ["cd1", "cd10", "pcd"].indexOf(method)) * this.a.moments.length + k) * this.size;
    return this.a.estimates.subarray(from, from + this.size);
  }
  paintGradients() {
    const { h, a } = this, M = a.moments.length, width = this.wide(this.box), k = this.moment();
    this.manyButtons.forEach((b, i) => { b.textContent = `${h.chains[i]} chains`; b.setAttribute("aria-pressed", String(i === this.many)); b.title = i ? "Many chains: the noise averages out, the bias stays" : "As many chains as an update uses"; });
    const all = this.guesses.map((g) => this.gradient(g.method, k)), reach = Math.max(1e-3, ...all.flatMap((x) => Array.from(x, Math.abs)));
    const made = h.method === "exact" ? "the exact gradient" : h.method_names[h.method];
    const earlier = a.moments[k] < this.at ? `, the last before ${this.at.toLocaleString("en-US")} at which they were compared` : "";
    this.gradientsNote.textContent = `At update ${a.moments[k].toLocaleString("en-US")} of learning by ${made}${earlier}. Colours: blue −${pretty(reach, 2)} to red +${pretty(reach, 2)} in all four.`;
    const length = (x) => Math.sqrt(x.reduce((s, z) => s + z * z, 0)), exactLength = length(all[0]);
    const column = this.wide(this.panels.gradients.querySelector(".guess"));
    this.box.dataset.moment = String(a.moments[k]);
    this.guesses.forEach((g, n) => {
      const [name, { children: [canvas, dial] }, note] = g.children, what = h.method_names[g.method];
      name.textContent = g.method === "exact" ? "Exact gradient" : what;
      name.style.borderColor = this.line(g.method);
      this.matrix(canvas, all[n], { low: -reach, high: reach, stops: this.stops, most: clamp(column - DIAL - 14, 90, 230), tall: clamp(this.room - 240, 130, 250), name: name.textContent });
      const degrees = n ? a.angles[(this.many * 3 + n - 1) * M + k] : 0;
      g.dataset.degrees = degrees.toFixed(3);
      note.textContent = n ? `length ${(length(all[n]) / exactLength).toFixed(2)} × exact` : `length ${pretty(exactLength, 2)}`;
      this.paintDial(dial, degrees, g.method);
    });
    this.paintTurn(k, width);
  }
  paintDial(canvas, degrees, method) {
    const x = DIAL / 2, y = x, r = x - 5, ctx = this.sheet(canvas, DIAL, DIAL + 24), a = (degrees * Math.PI) / 180;
    ctx.strokeStyle = this.ink.line;
    ctx.beginPath(); ctx.arc(x, y, r, 0, 7); ctx.stroke();
    const ray = (angle, colour, w) => {
      const ex = x + Math.sin(angle) * r, ey = y - Math.cos(angle) * r;
      ctx.strokeStyle = ctx.fillStyle = colour; ctx.lineWidth = w;
      ctx.beginPath(); ctx.moveTo(x, y); ctx.lineTo(ex, ey); ctx.stroke();
      ctx.beginPath();
      for (const [d, s] of [[0, 0], [-0.16, 11], [0.16, 11]]) ctx.lineTo(ex - Math.sin(angle + d * 2.4) * s, ey + Math.cos(angle + d * 2.4) * s);
      ctx.fill();
    };
    if (method !== "exact" && !Number.isNaN(degrees)) {
      ctx.fillStyle = this.line(method); ctx.globalAlpha = 0.16;
      ctx.beginPath(); ctx.moveTo(x, y); ctx.arc(x, y, r, -Math.PI / 2, a - Math.PI / 2); ctx.fill();
      ctx.globalAlpha = 1;
    }
    ray(0, this.line("exact"), 2);
    if (method === "exact") this.text(ctx, "straight up", x, DIAL + 16, { align: "center", size: 12, alpha: 0.9 });
    else if (Number.isNaN(degrees)) this.text(ctx, "no step", x, DIAL + 16, { align: "center", size: 12 });
    else {
      ray(a, this.line(method), 3);
      this.text(ctx, `${degrees.toFixed(0)}° off`, x, DIAL + 18, { align: "center", size: 18, weight: 600, alpha: 1 });
    }
    ctx.lineWidth = 1;
    canvas.setAttribute("aria-label", method === "exact" ? "the direction of steepest ascent" : `${degrees.toFixed(0)} degrees from the exact gradient`);
  }
  paintTurn(now, width) {
    const { h, a } = this, M = a.moments.length, left = 44, height = 128, bottom = 20, ctx = this.sheet(this.turnCanvas, width, height);
    const X = (t) => left + (t / h.n_updates) * (width - left - 8), Y = (d) => 20 + (1 - d / 180) * (height - bottom - 24);
    this.text(ctx, this.fitting(ctx, width - left, 12, "Angle to the exact gradient, in degrees, through learning: above 90° a step leads downhill", "Angle to the exact gradient: above 90°, downhill"), left, 11, { size: 12 });
    for (const d of [0, 45, 90, 135, 180]) {
      ctx.strokeStyle = this.ink.line; ctx.setLineDash(d === 90 ? [5, 4] : []);
      ctx.beginPath(); ctx.moveTo(left, Y(d)); ctx.lineTo(width - 8, Y(d)); ctx.stroke();
      this.text(ctx, `${d}°`, left - 6, Y(d) + 4, { align: "right", size: 11 });
    }
    ctx.setLineDash([]);
    ["cd1", "cd10", "pcd"].forEach((m, n) => {
      ctx.strokeStyle = ctx.fillStyle = this.line(m); ctx.lineWidth = 2;
      ctx.beginPath();
      for (let k = 0; k < M; k++) ctx.lineTo(X(a.moments[k]), Y(a.angles[(this.many * 3 + n) * M + k]));
      ctx.stroke();
      const d = a.angles[(this.many * 3 + n) * M + now];
      ctx.beginPath(); ctx.arc(X(a.moments[now]), Y(d), 4.5, 0, 7); ctx.fill();
    });
    ctx.lineWidth = 1;
    ctx.strokeStyle = this.ink.text; ctx.beginPath(); ctx.moveTo(X(a.moments[now]), 18); ctx.lineTo(X(a.moments[now]), height - bottom + 2); ctx.stroke();
    this.updates(ctx, X, height - 4, width);
  }

  // Landscape
  /** Where a picture lies: Gray codes of its first and last pixels, so that neighbours differ by one pixel. */
  spot(state) {
    const V = this.h.n_visible, low = Math.ceil(V / 2), ungray = (g) => { for (let s = 1; s < 16; s <<= 1) g ^= g >> s; return g; };
    return [ungray(state >> low), ungray(state & ((1 << low) - 1))];
  }
  at_spot(row, column) {
    const low = Math.ceil(this.h.n_visible / 2), gray = (k) => k ^ (k >> 1);
    return (gray(row) << low) | gray(column);
  }
  paintLandscape() {
    const { h, a } = this, V = h.n_visible, m = this.machine(), log_z = a.log_z[this.at];
    if (this.landed !== this.at + h.method) { m.landscape(this.F); this.landed = this.at + h.method; this.sorted = null; }
    if (this.walked !== this.at + h.method) { this.path = m.walk(h.walk_start, a.chance, a.chance.shape[0]); this.walked = this.at + h.method; }
    const rows = 1 << Math.floor(V / 2), columns = 1 << Math.ceil(V / 2), width = this.wide(this.box);
    const room = width > 640 ? width * 0.56 : width, cell = Math.min(V <= 4 ? 140 : 1e9, room / columns, clamp(this.room - 156, 200, 520) / rows);
    this.mapCanvas.parentElement.style.width = `${Math.max(300, Math.round(columns * cell)) * this.em}px`;
    const w = Math.round(columns * cell), tall = Math.round(rows * cell), ctx = this.sheet(this.mapCanvas, w, tall + 30);
    let floor = Infinity, ceiling = -Infinity;
    for (const F of this.F) { if (F < floor) floor = F; if (F > ceiling) ceiling = F; }
    const span = clamp(ceiling - floor, 1, 12), shade = (F) => 1 - (F - floor) / span;
    const board = this.board && this.board.width === columns && this.board.height === rows ? this.board : (this.board = el("canvas", { width: columns, height: rows }));
    const image = new ImageData(columns, rows), pixels = new Uint32Array(image.data.buffer), table = colourTable(this.depth);
    for (let k = 0; k < pixels.length; k++) pixels[k] = table[Math.round(255 * clamp(shade(this.F[this.spots[k]]), 0, 1))];
    board.getContext("2d").putImageData(image, 0, 0);
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(board, 0, 0, w, tall);
    ctx.strokeStyle = this.ink.line; ctx.strokeRect(0.5, 0.5, w - 1, tall - 1);
    this.cell = cell;
    const centre = (v) => { const [r, c] = this.spot(v); return [(c + 0.5) * cell, (r + 0.5) * cell]; };
    if (V <= 4) for (let v = 0; v < 1 << V; v++) {
      const [x, y] = centre(v), s = 26, light = shade(this.F[v]) > 0.5;
      ctx.fillStyle = this.ink.paper; ctx.fillRect(x - s - 3, y - s / 2 - 29, 2 * s + 6, s + 6);
      this.picture(ctx, v, x - s, y - s / 2 - 26, s);
      this.text(ctx, `F = ${this.F[v].toFixed(2).replace("-", "−")} nats`, x, y + 12, { align: "center", alpha: 1, size: 13, weight: 600, colour: light !== this.dark ? "#fff" : "#111" });
      this.text(ctx, `p = ${(100 * Math.exp(-this.F[v] - log_z)).toFixed(1)} %`, x, y + 30, { align: "center", alpha: 1, size: 13, colour: light !== this.dark ? "#fff" : "#111" });
    } else for (const v of a.patterns) {
      const [x, y] = centre(v);
      ctx.strokeStyle = this.colour.data; ctx.lineWidth = 2;
      ctx.beginPath(); ctx.arc(x, y, Math.max(4.5, Math.min(cell * 0.55, 9)), 0, 7); ctx.stroke();
    }
    const now = Math.min(this.hop, this.path.length - 1), v = now % 2 ? this.path[now - 1] : this.path[now], hid = now ? this.path[now % 2 ? now : now - 1] : null;
    const stand = (v) => { const [x, y] = centre(v); return [x, V <= 4 ? y + cell * 0.36 : y]; }, trail = [];
    for (let t = Math.max(0, now - (now % 2) - 16); t <= now; t += 2) trail.push(stand(this.path[t]));
    ctx.lineWidth = 2; ctx.strokeStyle = this.colour.chain;
    trail.slice(1).forEach(([x, y], k) => { ctx.globalAlpha = 0.15 + (0.7 * (k + 1)) / trail.length; ctx.beginPath(); ctx.moveTo(...trail[k]); ctx.lineTo(x, y); ctx.stroke(); });
    ctx.globalAlpha = 1;
    const [x, y] = stand(v);
    ctx.fillStyle = this.colour.chain; ctx.strokeStyle = this.ink.paper; ctx.lineWidth = 2;
    ctx.beginPath(); ctx.arc(x, y, 7, 0, 7); ctx.fill(); ctx.stroke();
    ctx.lineWidth = 1;
    this.ramp(ctx, 0, tall + 10, Math.min(150, w - 190), [...this.depth].reverse(), "lowest F: likely", `+${span.toFixed(1)} nats: rare`);
    this.mapNote.textContent = V <= 4
      ? "Neighbours differ by one pixel. Low free energy means a likely picture: each nat lower makes it e ≈ 2.7 times likelier."
      : `All ${(1 << V).toLocaleString("en-US")} pictures. One step across or down changes one pixel (Gray code): down the first ${Math.floor(V / 2)} pixels, across the last ${Math.ceil(V / 2)}. Hover to see a picture.`;
    this.mapCanvas.setAttribute("aria-label", `Free energy of all ${1 << V} pictures; the chain is at picture ${v}`);
    this.hopButton.querySelector("path").setAttribute("d", this.hopping ? ICON.pause : ICON.play);
    this.hopButton.querySelector("span").textContent = this.hopping ? "Pause" : "Walk";
    this.hopWhere.textContent = now === 0 ? `start · 0 of ${a.chance.shape[0]} sweeps` : `sweep ${(now + 1) >> 1} of ${a.chance.shape[0]} · ${now % 2 ? "h drawn from v" : "v drawn from h"}`;
    const big = h.n_visible <= 4 ? 30 : h.n_visible <= 9 ? 20 : 15, hs = this.hidden_shape();
    this.picture(this.sheet(this.walkV, h.shape[1] * big, h.shape[0] * big), v, 0, 0, big, { on: this.colour.chain });
    this.picture(this.sheet(this.walkH, hs[1] * big, hs[0] * big), hid ?? 0, 0, 0, big, { shape: hs, n: h.n_hidden, on: this.colour.model });
    this.walkNames[0].classList.toggle("lit", now > 0 && now % 2 === 0);
    this.walkNames[1].classList.toggle("lit", now % 2 === 1);
    const seen = new Set();
    for (let t = 0; t <= now; t += 2) if (this.known.has(this.path[t])) seen.add(this.path[t]);
    const p = Math.exp(-this.F[v] - log_z);
    this.hopNote.textContent = `Here F = ${this.fixed(this.F[v])} nats, p(v) = ${pretty(100 * p, 2)} %. The chain has met ${seen.size} of the data's ${a.patterns.length} pictures.`;
    this.box.dataset.chainState = String(v);
    this.box.dataset.free = this.F[v].toFixed(5);
    // Sorting 65,536 numbers takes longer than all else: while learning plays, this picture is drawn less often.
    const now_ms = performance.now();
    if (this.playing && V > 9 && now_ms - (this.sorted_at || 0) < 200) return;
    if (!this.sorted) { this.sorted = Float32Array.from(this.F).sort(); this.sorted_at = now_ms; }
    this.paintSorted(v);
  }
  paintSorted(v) {
    const { h, a } = this, n = this.sorted.length, width = this.wide(this.sortCanvas.parentElement), height = 120, left = 40, bottom = 20;
    const ctx = this.sheet(this.sortCanvas, width, height), floor = this.sorted[0], top = Math.max(1, Math.min(24, this.sorted[n - 1] - floor)) * 1.08;
    const rank = (F) => { let low = 0, high = n - 1; while (low < high) { const k = (low + high) >> 1; if (this.sorted[k] < F) low = k + 1; else high = k; } return low; };
    const X = (k) => left + 6 + (Math.log(k + 1) / Math.log(n)) * (width - left - 14), Y = (F) => 8 + (1 - clamp((F - floor) / top, 0, 1)) * (height - bottom - 12);
    for (const d of ticks(0, top, 3)) {
      ctx.strokeStyle = this.ink.line; ctx.beginPath(); ctx.moveTo(left, Y(floor + d)); ctx.lineTo(width, Y(floor + d)); ctx.stroke();
      this.text(ctx, d ? `+${Number(d.toPrecision(3))}` : "0", left - 5, Y(floor + d) + 4, { align: "right", size: 11 });
    }
    ctx.strokeStyle = this.colour.model; ctx.lineWidth = 2; ctx.beginPath();
    for (let k = 0; k < n; k = k < 200 ? k + 1 : Math.ceil(k * 1.01)) ctx.lineTo(X(k), Y(this.sorted[k]));
    ctx.lineTo(X(n - 1), Y(this.sorted[n - 1])); ctx.stroke();
    ctx.strokeStyle = this.colour.data;
    const used = new Map();
    for (const state of a.patterns) {
      const at = rank(this.F[state]), k = at + (used.get(at) || 0);
      used.set(at, (used.get(at) || 0) + 1);
      ctx.beginPath(); ctx.arc(X(Math.min(k, n - 1)), Y(this.F[state]), 4.5, 0, 7); ctx.stroke();
    }
    ctx.fillStyle = this.colour.chain; ctx.beginPath(); ctx.arc(X(rank(this.F[v])), Y(this.F[v]), 6, 0, 7); ctx.fill();
    ctx.lineWidth = 1;
    const marks = [1, 10, 100, 1000, 10000].filter((k) => k < n * 0.7);
    for (const k of [...marks, n]) this.text(ctx, k.toLocaleString("en-US"), X(k - 1), height - 4, { align: k === n ? "right" : "center", size: 11 });
    this.sortCanvas.setAttribute("aria-label", "Free energies of all pictures, sorted; those of the data are ringed");
  }
  hoverMap(e) {
    const [x, y] = this.spotOf(e, this.mapCanvas), V = this.h.n_visible, column = Math.floor(x / this.cell), row = Math.floor(y / this.cell);
    if (row < 0 || column < 0 || row >= 1 << Math.floor(V / 2) || column >= 1 << Math.ceil(V / 2)) { this.hush(); return; }
    const v = this.at_spot(row, column);
    this.tell_tip(e, v, `F = ${this.fixed(this.F[v])} nats\np(v) = ${pretty(100 * Math.exp(-this.F[v] - this.a.log_z[this.at]), 2)} %\n${this.known.has(v) ? "in the data" : "never in the data"}`);
  }
}

export default (component) => show(component, Learn);
