// A network before the RBM, looked up state by state in tables (dashboard/figures/networks.py computes all of them).
//   Hopfield's: units are asked one after the other and go downhill; `unrest` says which would change in every state.
//   Boltzmann's: a chain drawn by chance, one unit or one layer at a time; `path` holds it for every temperature.

import { textScale } from "../lib/canvas.js";
import { hexRgb } from "../lib/colour.js";
import { el, find, findCanvas } from "../lib/dom.js";
import { amendLink } from "../lib/link.js";
import { clamp, extent, fixed } from "../lib/numbers.js";
import { Pen } from "../lib/pen.js";
import { Plane } from "../lib/plane.js";
import { calm, play } from "../lib/playback.js";
import { saveButtons } from "../lib/save.js";
import { onResize, paintSoon, show, View } from "../lib/view.js";
import { drawEnergy, drawVisits } from "./energy.js";
import { basinPixels, depthPixels, drawPlane } from "./map.js";
import { drawWires, spots, unitAt } from "./wires.js";

/**
 * What a lesson wants done; only what is named changes.
 * @typedef {object} Command
 * @property {string} nonce
 * @property {number} [load] the stored pattern to start from
 * @property {number} [state] or the state
 * @property {boolean} [damage]
 * @property {boolean} [go] let it settle, or let the chain walk
 * @property {number} [temperature] its place in the list
 * @property {number} [speed] steps a second
 */
/**
 * @typedef {object} Header
 * @property {string} version
 * @property {boolean} [same]
 * @property {Command | null} command
 * @property {number} guess what was predicted in the lesson, from 1; 0 before
 * @property {string} kind
 * @property {string} title
 * @property {number} n_units
 * @property {number} n_visible
 * @property {[number, number]} shape
 * @property {number[][]} groups of units that are drawn at once
 * @property {number} seed
 * @property {string[]} [names] of the stored patterns
 * @property {string[]} [labels] what each attractor is
 * @property {number[]} [temperatures]
 * @property {number} [kl]
 */
/**
 * The arrays of networks.hopfield or networks.boltzmann.
 * @typedef {object} Arrays
 * @property {Float32Array} W
 * @property {Float32Array} energies
 * @property {Uint16Array} patterns
 * @property {Uint16Array} unrest
 * @property {Uint16Array} rests
 * @property {Uint16Array} attractors
 * @property {Int32Array} basins
 * @property {Uint8Array} chance
 * @property {Float32Array} log_p
 * @property {Uint16Array & { shape: number[] }} path
 */

const SPEED = 14; // steps a second
const SHOWN = 160; // of the last steps of a chain's energy
const LIKELIEST = 8;
const COLOURS = ["blue", "orange", "green", "purple", "vermillion", "yellow"];
/** @type {Record<string, string>} */
const PART = { unit: "one unit", layer: "one layer" };

/** The network: the state it is in, how it came there, and what moves it. */
class Network extends View {
  /** @type {Header} */
  h;
  /** @type {Arrays} */
  a;
  /** @type {Pen} */
  pen;
  /** @type {Plane} */
  plane;
  /** @type {number[]} the states so far, the present one last */
  trail = [0];
  /** @type {number[]} the units asked last */
  asked = [];
  /** How many units were asked since the start, and how often something was damaged. */
  turns = 0;
  damages = 0;
  temperature = 0;
  /** @type {ReturnType<typeof spots>} where the units stand */
  place;
  speed = SPEED;
  running = false;
  nonce = "";
  /** The guess that the link says. */
  written = 0;
  waiting = 0;
  drawn = 0;

  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    this.box = find(root, ".network");
    this.title = find(this.box, ".title");
    this.wires = findCanvas(this.box, ".wires");
    this.energy = findCanvas(this.box, ".energy");
    this.map = findCanvas(this.box, ".map");
    this.acts = find(this.box, ".acts");
    this.patterns = find(this.box, ".patterns");
    this.says = find(this.box, ".says");
    this.under = find(this.box, ".under");
    this.legend = find(this.box, ".legend");
    find(this.box, ".saved").append(saveButtons(this));
    this.wires.onclick = (e) => this.click(e);
    this.observer = onResize(this, this.box);
  }
  close() {
    this.running = false;
    this.observer.disconnect();
  }
  get settles() {
    return this.h.temperatures === undefined;
  }
  get state() {
    return this.trail[this.trail.length - 1];
  }
  /** How many steps make a sweep. */
  get round() {
    return this.h.groups.length;
  }
  /** @param {number} i */
  bit(i, state = this.state) {
    return (state >> (this.h.n_units - 1 - i)) & 1;
  }
  /** @param {number} state */
  visible(state) {
    return state >> (this.h.n_units - this.h.n_visible);
  }

  // --- data and commands ---

  /** @param {{ header: Header, arrays: Arrays }} blob */
  receive({ header, arrays }) {
    if (this.stale(header)) return;
    if (!header.same) this.take(header, arrays);
    const { command, guess } = header;
    this.h.guess = guess;
    if (command && command.nonce !== this.nonce) {
      this.nonce = command.nonce;
      this.ask("done", command.nonce);
      this.obey(command);
    }
    if (guess === this.written) return;
    this.written = guess;
    amendLink({ guess }, { guess: 0 });
    this.say("moment", { guess });
  }
  /**
   * @param {Header} header
   * @param {Arrays} arrays
   */
  take(header, arrays) {
    this.running = false;
    this.h = header;
    this.a = arrays;
    this.plane = new Plane(header.n_visible);
    this.temperature = header.temperatures ? header.temperatures.indexOf(1) : 0;
    this.begin(this.settles ? arrays.patterns[0] : arrays.path[0]);
    this.furnish();
  }
  /** @param {Command} command */
  obey({ load, state, damage, go, temperature, speed }) {
    this.running = false;
    this.speed = speed ?? SPEED;
    if (temperature !== undefined) this.temperature = temperature;
    if (load !== undefined) this.begin(this.a.patterns[load]);
    else if (state !== undefined) this.begin(state);
    else if (!this.settles) this.begin(this.a.path[0]);
    if (damage) {
      this.damages = 0;
      this.damage();
    }
    if (go) this.toggle();
  }
  furnish() {
    const button = (/** @type {string} */ words, /** @type {() => void} */ act, kind = "") =>
      el("button", { type: "button", class: kind, onclick: act }, words);
    const part = this.round === this.h.n_units ? "unit" : "layer";
    this.main = button("", () => this.toggle(), "main");
    const one = button(this.settles ? "ask one unit" : `draw ${PART[part]}`, () =>
      this.stop(() => this.step()),
    );
    const first = this.settles
      ? button("damage 3 pixels", () => this.stop(() => this.damage()))
      : button("from the start", () => this.stop(() => this.begin(this.a.path[0])));
    this.acts.replaceChildren(this.main, one, first, ...(this.settles ? [] : [this.heat()]));
    this.patterns.replaceChildren();
    if (!this.settles) return;
    this.thumbs = Array.from(this.a.patterns, (pattern, k) => {
      const canvas = el("canvas");
      const words = `Start from the stored picture ${this.h.names?.[k]}`;
      const act = () => this.stop(() => this.begin(pattern));
      this.patterns.append(
        el("button", { type: "button", title: words, "aria-label": words, onclick: act }, canvas),
      );
      return canvas;
    });
    this.patterns.prepend(el("span", { class: "note" }, "stored:"));
  }
  heat() {
    const { temperatures = [] } = this.h;
    const pick = el("select", { "aria-label": "Temperature" });
    pick.append(...temperatures.map((T, k) => el("option", { value: k }, `temperature ${T}`)));
    pick.onchange = () =>
      this.stop(() => {
        this.temperature = Number(pick.value);
        this.begin(this.a.path[0]);
      });
    this.heatPick = pick;
    return pick;
  }

  // --- moving ---

  /** @param {number} state */
  begin(state) {
    this.trail = [state];
    this.asked = [];
    this.turns = 0;
  }
  /** @param {() => void} act */
  stop(act) {
    this.running = false;
    act();
    this.draw();
  }
  damage() {
    let state = this.state;
    for (let k = 0; k < 3; k++)
      state ^= 1 << (this.h.n_units - 1 - this.a.chance[(this.damages % 64) * 3 + k]);
    this.damages++;
    this.begin(state);
  }
  /** One unit, or one layer, is asked. */
  step() {
    if (this.ended) return;
    const group = this.h.groups[this.turns % this.round];
    let next = this.state;
    if (this.settles) {
      const bit = 1 << (this.h.n_units - 1 - group[0]);
      next ^= this.a.unrest[next] & bit;
    } else next = this.a.path[this.temperature * this.a.path.shape[1] + this.turns + 1];
    this.asked = group;
    this.turns++;
    this.trail.push(next);
  }
  get ended() {
    return this.settles ? this.a.unrest[this.state] === 0 : this.turns >= this.a.path.shape[1] - 1;
  }
  toggle() {
    this.running = !this.running;
    if (this.running && this.ended && !this.settles) this.begin(this.a.path[0]);
    if (this.running && this.settles && calm()) {
      while (!this.ended) this.step();
    }
    if (this.running) {
      play(
        () => this.speed,
        (steps) => {
          if (!this.running || !this.box.isConnected) return false;
          for (let k = 0; k < steps; k++) this.step();
          this.running = !this.ended;
          if (steps) this.draw();
          return this.running;
        },
      );
    }
    this.draw();
  }
  /** @param {MouseEvent} e */
  click(e) {
    const i = unitAt(this.place, this.pen.spotOf(e, this.wires));
    if (i >= 0 && this.settles) this.stop(() => this.begin(this.state ^ (1 << (this.h.n_units - 1 - i))));
  }

  // --- drawing ---

  draw() {
    if (this.h) paintSoon(this);
  }
  paint() {
    const { h, a, box, state } = this;
    box.classList.toggle("dark", this.dark);
    const visible = { shape: h.shape, n: h.n_visible };
    const pen = new Pen(this.ink, this.dark, textScale(), getComputedStyle(box), visible);
    this.pen = pen;
    this.title.textContent = h.title;
    this.place = spots(h.n_units, h.n_visible, h.shape);
    const ctx = pen.sheet(this.wires, this.place.width, this.place.height);
    drawWires(ctx, pen, this.place, a.W, (i) => this.bit(i) === 1, this.asked);
    const label = `${h.title}: ${h.n_visible} pixels and ${h.n_units - h.n_visible} hidden units`;
    this.wires.setAttribute("aria-label", label);
    const go = this.settles ? "let it settle" : "let it walk";
    if (this.main) this.main.textContent = this.running ? "pause" : go;
    if (this.heatPick) this.heatPick.value = String(this.temperature);
    for (const [k, canvas] of (this.settles && this.thumbs ? this.thumbs : []).entries())
      pen.picture(pen.sheet(canvas, 28, 28), a.patterns[k], 0, 0, 7);
    const part = /** @type {Element} */ (this.energy.parentElement);
    const size = { width: Math.min(pen.wide(part), 460), height: 250 };
    if (this.settles) this.paintSettling(size);
    else this.paintWalk(size);
    this.shows(h.kind);
    Object.assign(box.dataset, {
      kind: h.kind,
      state,
      turns: this.turns,
      running: this.running,
      energy: a.energies[state].toFixed(4),
      temperature: h.temperatures?.[this.temperature],
      drawn: ++this.drawn,
    });
  }
  /** @param {{ width: number, height: number }} size */
  paintSettling(size) {
    const { h, a, pen, state } = this;
    const energies = this.trail.map((s) => a.energies[s]);
    drawEnergy(pen.sheet(this.energy, size.width, size.height), pen, size, energies, extent(a.energies));
    this.energy.setAttribute(
      "aria-label",
      `Energy ${fixed(a.energies[state], 2)} nats after ${this.turns} units`,
    );
    this.under.textContent = "A unit that changes lowers the energy; one that is content leaves it as it is.";
    const end = this.nameOf(a.rests[state]);
    this.says.textContent = this.ended
      ? `At rest: ${this.nameOf(state)}. No unit would change. Click a pixel to turn it over.`
      : this.asked.length
        ? this.votes(this.asked[0])
        : `${h.n_units} units, each joined to all others. Click a pixel to turn it over.`;
    const colours = this.colours();
    const cell = this.cellOf(size.width);
    const ctx = pen.sheet(this.map, this.plane.columns * cell, this.plane.rows * cell);
    drawPlane(ctx, this.plane, cell, basinPixels(this.plane, a.rests, colours), pen.ink.line);
    this.paintTrail(ctx, cell);
    find(this.box, ".maptitle").textContent = "Where each state comes to rest";
    this.map.setAttribute("aria-label", `The present state comes to rest at: ${end}`);
    this.writeBasins(colours);
  }
  /**
   * What the others say to the unit that was asked.
   * @param {number} i
   */
  votes(i) {
    const n = this.h.n_units;
    const on = Array.from({ length: n }, (_, j) => j).filter((j) => this.bit(j) && j !== i);
    const sum = on.reduce((x, j) => x + this.a.W[i * n + j], 0);
    const changed = this.trail.length > 1 && this.bit(i) !== this.bit(i, this.trail[this.trail.length - 2]);
    const does = changed ? `turns ${this.bit(i) ? "on" : "off"}` : `stays ${this.bit(i) ? "on" : "off"}`;
    return `Unit ${i + 1} is asked. Wires from the lit units add up to ${fixed(sum, 2)}, its bias is ${fixed(this.biasOf(i), 2)}: it ${does}.`;
  }
  /** @param {number} i */
  biasOf(i) {
    // E of the state with unit i alone is −bᵢ, and E of the dark state is 0.
    return -this.a.energies[1 << (this.h.n_units - 1 - i)];
  }
  /** @param {number} state */
  nameOf(state) {
    const k = this.a.attractors.indexOf(state);
    const label = this.h.labels?.[k];
    if (k < 0 || !label) return "no state of rest";
    return label === "a mixture" ? "a mixture that nobody stored" : `the picture ${label}`;
  }
  /** The colour of each attractor: stored strong, turned round pale, mixtures grey. */
  colours() {
    const { h, a, pen } = this;
    /** @type {Map<number, string>} */
    const found = new Map();
    for (const [k, state] of a.attractors.entries()) {
      const label = h.labels?.[k] ?? "";
      const place = (h.names ?? []).indexOf(label.split(" ")[0]);
      const strong = place < 0 ? pen.ink.lines.grey : pen.ink.lines[COLOURS[place]];
      found.set(state, label.includes("turned") ? faded(strong, pen.dark) : strong);
    }
    return found;
  }
  /** @param {Map<number, string>} colours */
  writeBasins(colours) {
    const { h, a } = this;
    const total = a.basins.reduce((x, y) => x + y, 0);
    const share = (/** @type {(label: string) => boolean} */ is) => {
      const sum = a.basins.reduce((x, n, k) => x + (is(h.labels?.[k] ?? "") ? n : 0), 0);
      return `${Math.round((100 * sum) / total)} %`;
    };
    const swatch = (/** @type {string} */ colour) => el("i", { style: `background:${colour}` });
    const stored = (h.names ?? []).flatMap((name) => {
      const k = h.labels?.indexOf(name) ?? -1;
      return k < 0 ? [] : [swatch(colours.get(a.attractors[k]) ?? ""), `${name} ${share((x) => x === name)}`];
    });
    const grey = this.pen.ink.lines.grey;
    const rest = [swatch(grey), `mixtures ${share((x) => x === "a mixture")}`];
    const lost = (h.names ?? []).filter((name) => !h.labels?.includes(name));
    const words = [`; pale: the same turned round (${share((x) => x.includes("turned"))}).`];
    if (lost.length) words.push(` Not at rest any more: ${lost.join(", ")}.`);
    this.legend.replaceChildren(...stored, ...rest, ...words);
  }
  /** @param {number} width */
  cellOf(width) {
    const most = Math.min(width, 300) / Math.max(this.plane.columns, this.plane.rows);
    return most >= 1 ? Math.floor(4 * most) / 4 : most;
  }
  /**
   * @param {CanvasRenderingContext2D} ctx
   * @param {number} cell
   */
  paintTrail(ctx, cell) {
    const { pen } = this;
    const recent = this.trail.slice(-24);
    ctx.lineWidth = 2;
    ctx.strokeStyle = pen.ink.text;
    ctx.beginPath();
    for (const state of recent) {
      const [row, column] = this.plane.placeOf(this.visible(state));
      ctx.lineTo((column + 0.5) * cell, (row + 0.5) * cell);
    }
    ctx.stroke();
    const [row, column] = this.plane.placeOf(this.visible(this.state));
    ctx.fillStyle = pen.colour.chain;
    ctx.strokeStyle = "#fff";
    ctx.beginPath();
    ctx.arc((column + 0.5) * cell, (row + 0.5) * cell, 6, 0, 7);
    ctx.fill();
    ctx.stroke();
    ctx.lineWidth = 1;
  }
  /** @param {{ width: number, height: number }} size */
  paintWalk(size) {
    const { h, a, pen } = this;
    const { bars, met, sweeps } = this.visits();
    const ctx = pen.sheet(this.energy, size.width, 2 * size.height - 110);
    const energies = this.trail.slice(-SHOWN).map((s) => a.energies[s]);
    const above = { width: size.width, height: 170 };
    drawEnergy(ctx, pen, above, energies, extent(a.energies));
    ctx.translate(0, 190);
    pen.text(ctx, "The likeliest pictures: how likely, how often met", 0, 10, { size: 12, alpha: 0.9 });
    ctx.translate(0, 14);
    drawVisits(ctx, pen, { width: size.width, height: 184 }, bars);
    this.energy.setAttribute("aria-label", `${met} different pictures in ${sweeps} sweeps`);
    const T = h.temperatures?.[this.temperature];
    this.under.textContent = `Blue: exact probability at temperature ${T}. Pink: share of the chain's ${sweeps} sweeps. It met ${met} different pictures.`;
    const how = this.round === h.n_units ? "One unit at a time" : "A whole layer at a time";
    this.says.textContent = `${how}: a sweep takes ${this.round} steps. ${this.turns} steps made, ${sweeps} sweeps.`;
    const cell = this.cellOf(size.width);
    const n = 1 << h.n_visible;
    const logP = a.log_p.subarray(this.temperature * n, (this.temperature + 1) * n);
    const map = pen.sheet(this.map, this.plane.columns * cell, this.plane.rows * cell);
    drawPlane(map, this.plane, cell, depthPixels(this.plane, logP, pen.depth), pen.ink.line);
    map.strokeStyle = pen.colour.data;
    map.lineWidth = 2;
    for (const v of a.patterns) {
      const [row, column] = this.plane.placeOf(v);
      map.strokeRect(column * cell + 1, row * cell + 1, cell - 2, cell - 2);
    }
    this.paintTrail(map, cell);
    find(this.box, ".maptitle").textContent = "How likely each picture is";
    const data = el("i", { style: `background:${pen.colour.data}` });
    this.legend.replaceChildren(
      data,
      "framed: in the data. The stronger the blue, the likelier. ",
      this.score(),
    );
    this.map.setAttribute("aria-label", `Probability of ${n} pictures at temperature ${T}`);
  }
  score() {
    return `KL from the data at temperature 1: ${fixed(this.h.kl ?? 0, 2)} nats.`;
  }
  /** How often the chain met the likeliest pictures, after whole sweeps; of how many it met any. */
  visits() {
    const { h, a } = this;
    const n = 1 << h.n_visible;
    const logP = a.log_p.subarray(this.temperature * n, (this.temperature + 1) * n);
    const best = [...logP.keys()].sort((x, y) => logP[y] - logP[x]).slice(0, LIKELIEST);
    /** @type {Map<number, number>} */
    const seen = new Map();
    let sweeps = 0;
    for (let t = this.round; t < this.trail.length; t += this.round) {
      const v = this.visible(this.trail[t]);
      seen.set(v, (seen.get(v) ?? 0) + 1);
      sweeps++;
    }
    const bars = best.map((picture) => ({
      picture,
      p: Math.exp(logP[picture]),
      visited: (seen.get(picture) ?? 0) / Math.max(1, sweeps),
    }));
    return { bars, met: seen.size, sweeps };
  }

  // --- taking away ---

  picture() {
    if (!this.h) return null;
    const { h } = this;
    return {
      title: h.title,
      name: `learn-network-${h.kind}`,
      of: { seed: h.seed, more: this.settles ? `after ${this.turns} units` : this.says.textContent },
      rows: [[{ canvas: this.wires }, { canvas: this.energy }, { canvas: this.map }]],
      note: this.legend.textContent,
    };
  }
  table() {
    const { h, a } = this;
    if (this.settles) {
      const rows = Array.from(a.attractors, (state, k) => [
        state.toString(2).padStart(h.n_units, "0"),
        h.labels?.[k],
        a.basins[k],
        a.energies[state],
      ]);
      return { columns: ["state_at_rest", "what", "states_that_end_there", "energy_nats"], rows };
    }
    const n = 1 << h.n_visible;
    const rows = Array.from({ length: n }, (_, v) => [
      v.toString(2).padStart(h.n_visible, "0"),
      ...(h.temperatures ?? []).map((_, k) => Math.exp(a.log_p[k * n + v])),
    ]);
    return { columns: ["picture", ...(h.temperatures ?? []).map((T) => `p_at_temperature_${T}`)], rows };
  }
}

/**
 * The colour halfway to the paper.
 * @param {string} hex
 * @param {boolean} dark
 */
function faded(hex, dark) {
  const paper = dark ? 20 : 255;
  const mixed = hexRgb(hex).map((c) => Math.round(0.45 * c + 0.55 * paper));
  return `#${mixed.map((c) => clamp(c, 0, 255).toString(16).padStart(2, "0")).join("")}`;
}

/** @param {import("../lib/view.js").Mounted} component */
export default (component) => show(component, Network);
