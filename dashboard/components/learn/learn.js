// A tiny RBM learning, played from a record of every update (dashboard/figures/learn.py computes all of it).
// What is worked out here, from the recorded parameters: p(v) and F(v) of pictures, and the walking chain.

import { textScale } from "../lib/canvas.js";
import { find, findCanvas } from "../lib/dom.js";
import { amendLink } from "../lib/link.js";
import { clamp, pretty } from "../lib/numbers.js";
import { Pen } from "../lib/pen.js";
import { Plane } from "../lib/plane.js";
import { calm, play } from "../lib/playback.js";
import { saveButtons } from "../lib/save.js";
import { onResize, paintSoon, show, View } from "../lib/view.js";
import { times } from "./chains.js";
import { Distribution } from "./distribution.js";
import { Gradients } from "./gradients.js";
import { Energies, Hand } from "./hand.js";
import { Landscape } from "./landscape.js";
import { TinyRBM } from "./tiny.js";
import { Transport } from "./transport.js";
import { Update } from "./update.js";

/** @typedef {"distribution" | "energies" | "hand" | "update" | "gradients" | "landscape"} ViewName */
/**
 * What a lesson wants the player to do; only what is named changes. `at` −1 is the last update.
 * @typedef {object} Command
 * @property {string} nonce
 * @property {ViewName} [view]
 * @property {number} [at]
 * @property {number} [stage]
 * @property {number} [many]
 * @property {number} [speed]
 * @property {number} [hop]
 * @property {boolean} [play]
 * @property {boolean} [walk]
 * @property {boolean} [stages]
 */
/**
 * @typedef {object} Header
 * @property {string} version
 * @property {boolean} [same]
 * @property {Command | null} command
 * @property {boolean} plain whether words are left out that a later lesson explains
 * @property {boolean} asks whether a prediction is awaited: what is to come is not drawn
 * @property {number} guess what was predicted in the lesson, from 1; 0 before
 * @property {number} [at] to begin with
 * @property {ViewName} [view]
 * @property {{ view: ViewName, update: number, guess: number }} defaults where the link says nothing
 * @property {string} machine
 * @property {string} title
 * @property {[number, number]} shape
 * @property {number} n_visible
 * @property {number} n_hidden
 * @property {number} n_updates
 * @property {string} method
 * @property {Record<string, string>} method_names
 * @property {number} sweeps of an update's chains; 0: exact
 * @property {number} rate
 * @property {number} seed
 * @property {number} n_cases
 * @property {[number, number]} chains few and many
 * @property {number} best the highest log-likelihood that the data allow, nats
 * @property {number} walk_start
 */
/** @typedef {{ shape: number[] }} Shaped */
/**
 * The arrays of dashboard/figures/learn.py's `training`.
 * @typedef {object} Arrays
 * @property {Float32Array} parameters
 * @property {Float64Array} log_z
 * @property {Float64Array} log_likelihood
 * @property {Float32Array} positive
 * @property {Float32Array} negative
 * @property {Uint16Array & Shaped} starts
 * @property {Uint16Array} h_path
 * @property {Uint16Array} v_path
 * @property {Int32Array} moments
 * @property {Float32Array} exact
 * @property {Float32Array} estimates
 * @property {Float32Array} angles
 * @property {(Float32Array | Float64Array) & Shaped} chance
 * @property {Int32Array} patterns
 * @property {Float64Array} p_data
 */

/** @type {ViewName[]} */
const VIEWS = ["distribution", "energies", "hand", "update", "gradients", "landscape"];
const SMALL_ONLY = ["energies", "hand"]; // tables that list every picture
const SMALL = 4; // pixels
const PLAY = "M7 4.5v15L19.5 12z";
const PAUSE = "M6 5h4v14H6zM14 5h4v14h-4z";
const RESTED = 350; // ms after which the page hears where the reader is

/** The player: the update that is shown, the view that is looked at, and what changes them. */
export class Learn extends View {
  /** @type {Header} */
  h;
  /** @type {Arrays} */
  a;
  /** @type {Pen} */
  pen;
  /** @type {Plane} */
  plane;
  at = 0;
  /** @type {ViewName} */
  view = "distribution";
  playing = false;
  speed = 50;
  /** The nonce of the command obeyed last. */
  nonce = "";
  drawn = 0;
  /** The room that the view was painted for, in units. */
  fitted = 0;
  waiting = 0;
  telling = 0;

  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    this.box = find(root, ".learn");
    this.panels = /** @type {Record<ViewName, HTMLElement>} */ (
      Object.fromEntries(VIEWS.map((name) => [name, find(this.box, `#${name}`)]))
    );
    this.tabs = VIEWS.map((name) => find(this.box, `#tab-${name}`, HTMLButtonElement));
    this.speedPick = find(this.box, ".speed", HTMLSelectElement);
    this.tip = find(this.box, ".tip");
    this.transport = new Transport(this);
    this.update = new Update(this);
    this.gradients = new Gradients(this);
    this.landscape = new Landscape(this);
    this.looks = {
      distribution: new Distribution(this),
      energies: new Energies(this),
      hand: new Hand(this),
      update: this.update,
      gradients: this.gradients,
      landscape: this.landscape,
    };
    find(this.box, ".time .head > .keys").append(this.saves(this.transport));
    find(this.box, ".bar").append(this.saves(() => this.looks[this.view]));
    this.listen();
    this.observer = onResize(this, this.box);
    // After Back the address is another lesson's: where the reader was is not written into it.
    this.leave = () => clearTimeout(this.telling);
    addEventListener("popstate", this.leave);
    // What stands above may come after the picture: the page's letters, a lesson's words.
    this.above = new ResizeObserver(() => {
      if (this.drawn && Math.abs(this.room - this.fitted) > 1) this.draw();
    });
    this.above.observe(document.querySelector("[data-testid=stMainBlockContainer]") ?? document.body);
  }
  close() {
    this.playing = this.landscape.walking = this.update.running = false;
    this.observer.disconnect();
    this.above.disconnect();
    removeEventListener("popstate", this.leave);
  }
  /** KL(data ‖ model) in nats after each update, by the method of each training shown so far. */
  get curves() {
    return this.transport.curves;
  }
  /** How many parameters there are. */
  get size() {
    const { n_visible: V, n_hidden: H } = this.h;
    return V * H + V + H;
  }

  listen() {
    const { landscape } = this;
    /** @type {Record<string, () => void>} */
    const acts = {
      reset: () => this.go(0),
      back: () => this.go(this.at - 1),
      play: () => this.toggle(),
      step: () => this.go(this.at + 1),
      steps: () => this.go(this.at + 10),
      start: () => landscape.hopTo(0),
      walk: () => landscape.toggle(),
      half: () => landscape.hopTo(landscape.hop + 1),
    };
    for (const [what, act] of Object.entries(acts)) find(this.box, `[data-do="${what}"]`).onclick = act;
    this.speedPick.value = String(this.speed);
    this.speedPick.onchange = () => {
      this.speed = Number(this.speedPick.value);
    };
    for (const [k, tab] of this.tabs.entries()) tab.onclick = () => this.look(VIEWS[k]);
    find(this.box, ".views").onkeydown = (e) => this.walkTabs(e);
    this.box.onkeydown = (e) => this.key(e);
  }
  /** @param {KeyboardEvent} e */
  walkTabs(e) {
    /** @type {Record<string, number>} */
    const steps = { ArrowRight: 1, ArrowLeft: -1 };
    if (!(e.key in steps)) return;
    e.preventDefault();
    e.stopPropagation();
    const { views } = this;
    const name = views[(views.indexOf(this.view) + steps[e.key] + views.length) % views.length];
    this.look(name);
    this.tabs[VIEWS.indexOf(name)].focus();
  }
  /** @param {KeyboardEvent} e */
  key(e) {
    const tag = /** @type {Element} */ (e.composedPath()[0]).tagName;
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

  // --- data and commands -------------------------------------------------------------------------------------

  /** @param {{ header: Header, arrays: Arrays }} blob */
  receive({ header, arrays }) {
    if (this.stale(header)) return;
    if (!header.same) this.take(header, arrays);
    const { command, plain, asks, guess } = header;
    const guessed = guess !== this.h.guess;
    Object.assign(this.h, { plain, asks, guess });
    if (!command || command.nonce === this.nonce) {
      if (guessed) this.rest();
      return;
    }
    this.nonce = command.nonce;
    this.ask("done", command.nonce);
    this.obey(command);
  }
  /**
   * A whole training.
   * @param {Header} header
   * @param {Arrays} arrays
   */
  take(header, arrays) {
    const before = this.h;
    this.h = header;
    this.a = arrays;
    this.plane = new Plane(header.n_visible);
    this.transport.remember();
    if (!before) {
      this.at = header.at ?? 0;
      this.view = header.view ?? "distribution";
    } else if (before.machine !== header.machine) {
      this.at = this.landscape.hop = 0;
      this.update.setStage(0);
      this.pause();
    }
    this.at = clamp(this.at, 0, header.n_updates);
    if (!this.views.includes(this.view)) this.view = "distribution";
  }
  /** The views that this machine has. */
  get views() {
    return VIEWS.filter((name) => this.h.n_visible <= SMALL || !SMALL_ONLY.includes(name));
  }
  /** @param {Command} command */
  obey(command) {
    const { n_updates } = this.h;
    this.pause();
    this.landscape.walking = false;
    if (command.view) this.view = command.view;
    if (command.at !== undefined) this.at = clamp(command.at < 0 ? n_updates : command.at, 0, n_updates);
    if (command.stage !== undefined) this.update.setStage(command.stage);
    if (command.many !== undefined) this.gradients.many = command.many;
    if (command.speed) {
      this.speed = command.speed;
      this.speedPick.value = String(command.speed);
    }
    if (command.hop !== undefined) this.landscape.hop = command.hop;
    if (command.play) this.toggle();
    if (command.walk) this.landscape.toggle();
    if (command.stages) this.update.run();
    this.rest();
    if (command.play || command.walk || command.stages)
      requestAnimationFrame(() => requestAnimationFrame(() => this.bringIntoSight()));
  }
  /**
   * In a small window what was asked for lies below; a lesson that is only opened is to be read first. The answer to a
   * guess, which stands above, stays in sight.
   */
  bringIntoSight() {
    if (this.room >= 200) return;
    const main = document.querySelector("[data-testid=stMain]");
    const header = document.querySelector("[data-testid=stHeader]")?.getBoundingClientRect().bottom ?? 0;
    const answer = document.querySelector(".st-key-learn-slot")?.getBoundingClientRect().top ?? Infinity;
    const below = this.panels[this.view].getBoundingClientRect().bottom - innerHeight;
    const by = Math.min(below, answer - header);
    if (by > 0) main?.scrollBy({ top: by, behavior: calm() ? "auto" : "smooth" });
  }
  /** The model after a number of updates. */
  rbm(at = this.at) {
    return new TinyRBM(this.row("parameters", at), this.h.n_visible, this.h.n_hidden);
  }
  /**
   * @param {"parameters" | "positive" | "negative" | "exact"} name
   * @param {number} at
   */
  row(name, at) {
    return this.a[name].subarray(at * this.size, (at + 1) * this.size);
  }
  /** How hidden units are laid out. */
  hiddenLayout() {
    const n = this.h.n_hidden;
    const columns = n <= 4 ? n : Math.ceil(Math.sqrt(n));
    return { shape: /** @type {[number, number]} */ ([Math.ceil(n / columns), columns]), n };
  }

  // --- where the reader is -----------------------------------------------------------------------------------

  /** @param {ViewName} name */
  look(name) {
    this.view = name;
    this.hush();
    this.draw();
    this.rest();
  }
  /** @param {number} at */
  go(at) {
    this.pause();
    this.set(at);
    this.rest();
  }
  /** @param {number} at */
  set(at) {
    const to = clamp(Math.round(at), 0, this.h.n_updates);
    if (to !== this.at) {
      this.at = to;
      this.update.setStage(0);
    }
    this.draw();
  }
  /** Once the reader has settled, link and page say where. */
  rest() {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => {
      if (!this.h || this.playing || !this.root.isConnected) return;
      const { view, at } = this;
      const { guess, defaults } = this.h;
      amendLink({ view, update: at, guess }, defaults);
      this.say("moment", { view, at, guess, film: this.version });
    }, RESTED);
  }
  toggle() {
    if (this.playing) {
      this.pause();
      this.rest();
      this.draw();
    } else this.play();
  }
  play() {
    if (this.at >= this.h.n_updates) this.set(0);
    this.playing = true;
    play(
      () => this.speed,
      (steps) => {
        if (!this.playing || !this.box.isConnected) return false;
        const ended = this.isReplaced();
        if (steps && !ended) this.set(this.at + steps);
        if (!ended && this.at < this.h.n_updates) return true;
        this.pause();
        if (!ended) this.rest();
        this.draw();
        return false;
      },
    );
    this.draw();
  }
  pause() {
    this.playing = false;
  }
  /** The page says through its style that another training is on its way. */
  isReplaced() {
    return getComputedStyle(this.box).getPropertyValue("--waiting").trim() === "1";
  }

  // --- taking away -------------------------------------------------------------------------------------------

  /** @param {Transport | (() => Learn["looks"][ViewName])} figure or what finds it */
  saves(figure) {
    const view = this;
    const of = () => (typeof figure === "function" ? figure() : figure);
    return saveButtons({
      picture: () => ({ name: view.called(view.view), of: view.source(), ...of().picture() }),
      table: () => of().table(),
      draw: () => view.h && view.paint(),
      get ink() {
        return view.ink;
      },
    });
  }
  source() {
    const { h, at } = this;
    const units = times(h.n_hidden, "hidden unit");
    return {
      seed: h.seed,
      more: `${h.title}, ${h.method_names[h.method]}, ${units}, rate ${pretty(h.rate)}, update ${at}`,
    };
  }
  /** @param {string} what */
  called(what) {
    const { machine, method, seed } = this.h;
    return `learn-${machine}-${method}-seed-${seed}-update-${this.at}-${what}`;
  }

  // --- drawing ----------------------------------------------------------------------------------------------

  draw() {
    if (this.h) paintSoon(this);
  }
  paint() {
    const { h, at, box, a } = this;
    box.classList.toggle("dark", this.dark);
    const visible = { shape: h.shape, n: h.n_visible };
    this.pen = new Pen(this.ink, this.dark, textScale(), getComputedStyle(box), visible);
    for (const [k, name] of VIEWS.entries()) {
      const on = name === this.view;
      this.tabs[k].setAttribute("aria-selected", String(on));
      this.tabs[k].tabIndex = on ? 0 : -1;
      this.tabs[k].hidden = !this.views.includes(name);
      this.panels[name].hidden = !on;
    }
    const button = find(box, '[data-do="play"]');
    find(button, "path", SVGElement).setAttribute("d", this.playing ? PAUSE : PLAY);
    find(button, "span").textContent = this.playing ? "Pause" : "Learn";
    button.setAttribute("aria-label", this.playing ? "Pause (space)" : "Let the machine learn (space)");
    Object.assign(box.dataset, {
      at,
      view: this.view,
      method: h.method,
      machine: h.machine,
      playing: this.playing,
      kl: (h.best - a.log_likelihood[at]).toFixed(6),
      stage: this.update.stage,
      hop: this.landscape.hop,
    });
    this.transport.paint();
    this.fitted = this.room;
    this.looks[this.view].paint();
    this.shows(`${h.machine}-${h.method}`);
    box.dataset.drawn = String(++this.drawn);
  }
  /** The units that the window leaves below the top of the view, when the page is not scrolled. */
  get room() {
    const page = document.querySelector("[data-testid=stMain]");
    const above = this.panels[this.view].getBoundingClientRect().top + (page?.scrollTop ?? 0);
    return (window.innerHeight - above) / textScale();
  }
  /**
   * Says what the pointer is at, with a picture where there is one.
   * @param {MouseEvent} e
   * @param {number | null} state
   * @param {string} words
   */
  tell(e, state, words) {
    const { h, pen, tip } = this;
    const canvas = findCanvas(tip);
    canvas.hidden = state === null;
    canvas.style.display = state === null ? "none" : "";
    if (state !== null) {
      const cell = h.n_visible <= 4 ? 18 : 10;
      pen.picture(pen.sheet(canvas, h.shape[1] * cell, h.shape[0] * cell), state, 0, 0, cell);
    }
    find(tip, "span").textContent = words;
    tip.hidden = false;
    const box = this.box.getBoundingClientRect();
    const x = Math.min(e.clientX - box.left + 14, box.width - tip.offsetWidth - 4);
    tip.style.transform = `translate(${x}px, ${e.clientY - box.top + 14}px)`;
  }
  hush() {
    this.tip.hidden = true;
  }
}

/** @param {import("../lib/view.js").Mounted} component */
export default (component) => show(component, Learn);
