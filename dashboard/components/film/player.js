// The player of a Gibbs film: one bit-packed blob in, everything else happens here, without a rerun of the page.
//
// This file is the player's state and what changes it; each part of the page is drawn by a class of its own.

import { savingNow } from "../lib/canvas.js";
import { css } from "../lib/colour.js";
import { find } from "../lib/dom.js";
import { actOf } from "../lib/keys.js";
import { amendLink } from "../lib/link.js";
import { clamp } from "../lib/numbers.js";
import { calm, playFrames, showPlaying } from "../lib/playback.js";
import { sourceOf } from "../lib/save.js";
import { inWords } from "../lib/table.js";
import { show, View } from "../lib/view.js";
import { arrange } from "./arrange.js";
import { Cycle, LAYERS } from "./cycle.js";
import { furnish } from "./figures.js";
import { ChainGrid } from "./grid.js";
import { Boards, lookOf, paintRamps } from "./look.js";
import { HiddenMap } from "./map.js";
import { nameOf, sentence, whereText } from "./narration.js";
import { Plots } from "./plots.js";
import { Shades } from "./shades.js";
import { Tip } from "./tip.js";
import { Trajectory } from "./trajectory.js";
import { paintTwin } from "./twin.js";
import { nameLayers, writeFilm } from "./words.js";

/** @typedef {import("./trajectory.js").Layer} Layer */
/** @typedef {{ version: string, same?: boolean, ask?: number }} Header ask: the page waits for rest = version */

const SPEED = 8; // half steps a second, at first
const SETTLED = 500; // ms without a change after which the page hears where the reader is
const REST = 50; // ms that the first pictures get before the page goes on with what takes longer

/** The player: film, frame, chain and layer, and what changes them. */
export class Player extends View {
  /** @type {Trajectory} */
  film;
  /** @type {Shades} */
  shades;
  /** @type {import("./look.js").Look} */
  look;
  frame = 0;
  chain = 0;
  /** @type {import("./trajectory.js").Show} */
  mode = "both";
  /** @type {Layer} what each cell of the grid shows */
  layer = "pv";
  playing = false;
  speed = SPEED;
  /** @type {number | null} the chain under the pointer */
  hovered = null;
  /** The grid has the keyboard because it was clicked: its arrows then move the frame, as they do elsewhere. */
  pointed = false;
  /** css pixels of a rem; the window is narrow; the page was made for a narrow window */
  rem = 16;
  narrow = false;
  slim = false;
  /** @type {Record<string, import("./arrange.js").Size>} of the canvases, by layer; empty until laid out */
  sizes = {};
  /** The place that the page heard last, as JSON. */
  placeSent = "";
  /** @type {boolean | undefined} the theme that `look` is of */
  themed;
  drawn = 0;
  waiting = 0;
  leaving = 0;

  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    this.box = find(root, ".film");
    this.$ = (/** @type {string} */ selector) => find(this.box, selector);
    const panel = (/** @type {Layer} */ layer) => [layer, this.$(`[data-panel="${layer}"]`)];
    this.panels = /** @type {Record<Layer, HTMLElement>} */ (Object.fromEntries(LAYERS.map(panel)));
    this.boards = new Boards();
    this.tip = new Tip(this);
    this.grid = new ChainGrid(this);
    this.cycle = new Cycle(this);
    this.plots = new Plots(this);
    this.map = new HiddenMap(this);
    furnish(this);
    this.stop = new AbortController();
    this.listen();
    this.watcher = new ResizeObserver(() => this.arrange());
    this.watcher.observe(this.box);
    // What lies outside the window is not drawn until it comes into sight: frames are for what is looked at.
    /** @type {Set<Element>} */
    this.hidden = new Set();
    this.sight = new IntersectionObserver((seen) => {
      for (const { target, isIntersecting } of seen) this.hidden[isIntersecting ? "delete" : "add"](target);
      this.refresh();
    });
    for (const figure of this.box.querySelectorAll("figure")) this.sight.observe(figure);
  }
  close() {
    clearTimeout(this.leaving);
    this.playing = false;
    this.stop.abort();
    this.watcher.disconnect();
    this.sight.disconnect();
  }

  // --- input ---------------------------------------------------------------------------------

  listen() {
    const { grid, plots, map, cycle } = this;
    const options = { signal: this.stop.signal };
    const away = () => this.hoverNothing();
    const on = (
      /** @type {Element} */ target,
      /** @type {string} */ type,
      /** @type {(e: any) => void} */ act,
    ) => target.addEventListener(type, act, options);
    for (const b of this.box.querySelectorAll("[data-do]")) {
      const what = /** @type {import("../lib/keys.js").Act} */ (b.getAttribute("data-do"));
      on(b, "click", () => this.act(what));
    }
    for (const b of this.box.querySelectorAll("[data-show]")) {
      const mode = /** @type {Player["mode"]} */ (b.getAttribute("data-show"));
      on(b, "click", () => this.arrangeAs({ mode }));
    }
    on(this.$(".layer"), "change", (e) => this.arrangeAs({ layer: e.target.value }));
    const speed = find(this.box, ".speed", HTMLSelectElement);
    speed.value = String(this.speed);
    on(speed, "change", () => {
      this.speed = Number(speed.value);
    });
    on(this.$(".scrub"), "input", (e) => {
      this.pause();
      this.seek(Number(e.target.value));
    });
    const choose = (/** @type {number | null} */ chain) => chain !== null && this.choose(chain);
    on(grid.canvas, "click", (e) => choose(grid.chainAt(e)));
    on(grid.canvas, "pointerdown", () => {
      this.pointed = true;
    });
    on(grid.canvas, "blur", () => {
      this.pointed = false;
    });
    on(grid.canvas, "pointermove", (e) => grid.hover(e));
    on(map.canvas, "click", (e) => choose(map.chainAt(e)));
    on(map.canvas, "pointermove", (e) => map.hover(e));
    for (const [layer, , canvas] of cycle.parts)
      on(canvas, "pointermove", (e) => cycle.hover(layer, canvas, e));
    for (const [name, canvas] of plots.parts) {
      on(canvas, "pointermove", (e) => plots.hover(name, canvas, e));
      on(canvas, "pointerdown", (e) => {
        canvas.setPointerCapture(e.pointerId);
        this.pause();
        const { frame, chain } = plots.at(name, canvas, e);
        this.seek(frame);
        choose(chain);
      });
    }
    const canvases = [...cycle.parts, ...plots.parts].map((part) => part[part.length - 1]);
    for (const canvas of [grid.canvas, map.canvas, ...canvases])
      on(/** @type {Element} */ (canvas), "pointerleave", away);
    document.addEventListener("keydown", (e) => this.key(e), options);
    window.addEventListener("resize", () => this.arrange(), options);
  }
  /** @param {{ mode?: Player["mode"], layer?: Layer }} choice */
  arrangeAs(choice) {
    Object.assign(this, choice);
    this.arrange();
    this.leave();
  }
  /** @param {KeyboardEvent} e */
  key(e) {
    if (!this.film || !this.box.isConnected) return;
    const modified = e.ctrlKey || e.metaKey || e.altKey;
    if (e.composedPath()[0] === this.grid.canvas && e.key.startsWith("Arrow") && !modified && !this.pointed) {
      e.preventDefault(); // the grid was reached by the keyboard: its arrows choose a chain
      this.choose(this.grid.chainBeside(e.key));
      return;
    }
    const act = actOf(e, this.box);
    if (!act) return;
    e.preventDefault();
    this.act(act);
  }
  /** @param {import("../lib/keys.js").Act} what */
  act(what) {
    this.bringIntoSight();
    if (what === "play") {
      if (this.playing) this.pause();
      else this.play();
      return;
    }
    this.pause();
    if (what === "fork") {
      this.ask("fork", Math.min(this.frame >> 1, this.film.n_sweeps - 1));
      return;
    }
    const { frame, film } = this;
    const to = { back: frame - 1, forward: frame + 1, sweepBack: frame - 2, sweepForward: frame + 2 };
    this.seek({ first: 0, last: film.last, ...to }[what]);
  }
  /** On a small window the first press may find the pictures still below its edge: they are brought into sight. */
  bringIntoSight() {
    const stage = this.$(this.mode === "one" ? ".cycle" : ".cells");
    const { top, bottom } = stage.getBoundingClientRect();
    if (!this.narrow || top < 0 || bottom <= this.$(".controls").getBoundingClientRect().top) return;
    stage.scrollIntoView({ block: "start", behavior: calm() ? "auto" : "smooth" });
  }

  // --- where the reader is -------------------------------------------------------------------

  play() {
    playFrames(this);
  }
  pause() {
    if (!this.playing) return;
    this.playing = false;
    this.setPlayButton();
    this.tell();
    this.leave();
  }
  setPlayButton() {
    showPlaying(this.box, this.playing);
  }
  /** @param {number} frame */
  seek(frame) {
    const to = clamp(Math.round(frame), 0, this.film.last);
    if (to === this.frame) return;
    this.frame = to;
    this.refresh();
    this.leave();
  }
  /** @param {number} chain */
  choose(chain) {
    this.chain = chain;
    this.forgetStills();
    this.refresh();
    this.leave();
  }
  /** Once the reader has settled, link and page say where; the place is no step of the browser's history. */
  leave() {
    clearTimeout(this.leaving);
    if (this.playing || !this.film) return;
    this.leaving = setTimeout(() => {
      const place = { frame: this.frame, chain: this.chain + 1, show: this.mode, layer: this.layer };
      const text = JSON.stringify(place);
      if (this.playing || text === this.placeSent || !this.box.isConnected) return;
      this.placeSent = text;
      amendLink(place, this.film.place_defaults);
      this.ask("place", place);
    }, SETTLED);
  }
  /** @param {number | null} chain */
  setHover(chain) {
    if (this.hovered === chain) return;
    this.hovered = chain;
    this.refresh();
  }
  hoverNothing() {
    this.tip.hide();
    this.setHover(null);
  }
  /** The chosen chain, last, and those of other groups that began as it did. */
  twins() {
    const { groups, per } = this.film;
    const twins = groups.map((_, g) => g * per + (this.chain % per));
    return [...twins.filter((k) => k !== this.chain), this.chain];
  }
  /** @param {number} chain */
  colourOf(chain) {
    return this.film.groups.length > 1 ? this.look.groups[this.film.groupOf(chain)] : this.look.mine;
  }

  // --- data and theme ------------------------------------------------------------------------

  /** @param {{ header: any, arrays: import("./trajectory.js").Arrays }} blob */
  receive(blob) {
    const { version, ask, same } = /** @type {Header} */ (blob.header);
    if (this.stale(blob.header)) return;
    if (ask) setTimeout(() => this.version === version && this.ask("rest", version), REST);
    if (same) return;
    const before = this.film;
    this.film = new Trajectory(blob);
    this.shades = new Shades(this.film);
    if (before) this.goOnFrom(before);
    else this.begin();
    this.seeAnotherStart();
    this.enlargeNewest(before);
    this.stayAtChain(before);
    this.frame = Math.min(this.frame, this.film.last);
    this.leave();
    find(this.box, ".scrub", HTMLInputElement).max = String(this.film.last);
    this.$(".caption").textContent = sourceOf(this.film.source);
    this.grid.name();
    this.plots.forget();
    this.map.forget();
    writeFilm(this);
    this.hovered = null;
    this.tip.hide();
  }
  /** The place that the link names; afterwards the reader's own. */
  begin() {
    const { frame, chain, show: mode, layer } = this.film.place;
    Object.assign(this, { frame, chain: chain - 1, mode, layer, slim: this.film.slim });
    this.placeSent = JSON.stringify({ frame, chain, show: mode, layer });
    find(this.box, ".layer", HTMLSelectElement).value = layer;
  }
  /** @param {Trajectory} before */
  goOnFrom(before) {
    const key = (/** @type {Trajectory} */ f) => JSON.stringify([f.of, f.groups, f.fork, startOf(f)]);
    if (key(this.film) !== key(before)) this.pause(); // else the same film, now with its map and nearest images
  }
  /**
   * Another start is to be seen. The window remembers the last one: Streamlit may mount the player anew between two
   * films, and what the link says of the frame is then of the film before.
   */
  seeAnotherStart() {
    const seen = /** @type {{ __rbmStart?: string }} */ (window);
    const start = startOf(this.film);
    if (seen.__rbmStart !== undefined && seen.__rbmStart !== start) this.frame = 0;
    seen.__rbmStart = start;
  }
  /**
   * Among earlier moments the newest is enlarged first: the model itself. Its group stands last.
   * @param {Trajectory | undefined} before
   */
  enlargeNewest(before) {
    const { groups, per } = this.film;
    if (groups.length < 3 || before?.groups.length === groups.length) return;
    if (before ? this.chain < per : this.chain === 0)
      this.chain = (groups.length - 1) * per + (this.chain % per);
  }
  /**
   * Where there are fewer chains than before, the one that began alike in the last group is enlarged.
   * @param {Trajectory | undefined} before
   */
  stayAtChain(before) {
    const { groups, per, n_chains } = this.film;
    if (this.chain < n_chains) return;
    const place = before ? this.chain % before.per : per - 1;
    this.chain = (groups.length - 1) * per + Math.min(place, per - 1);
  }
  /** Called whenever data or theme change. */
  draw() {
    if (this.themed !== this.dark) {
      this.themed = this.dark;
      this.box.classList.toggle("dark", this.dark);
      this.look = lookOf(this.box, this.ink, this.dark);
      paintRamps(this.box, this.look);
    }
    this.arrange();
  }
  arrange() {
    if (!this.film || !this.box.clientWidth) return;
    arrange(this);
    nameLayers(this);
    this.forgetStills();
    this.refresh();
  }
  /** Another chain, size or theme: the charts' still parts are drawn anew. */
  forgetStills() {
    this.plots.still.clear();
    this.map.still = null;
  }

  // --- drawing --------------------------------------------------------------------------------

  refresh() {
    if (this.waiting || !this.film) return;
    this.waiting = requestAnimationFrame(() => this.paintNow());
  }
  paintNow() {
    cancelAnimationFrame(this.waiting);
    this.waiting = 0;
    if (this.film && this.sizes.v) this.paint();
  }
  paint() {
    const { box, film, frame, chain, mode } = this;
    Object.assign(box.dataset, { frame, chain, drawn: ++this.drawn });
    if (mode !== "one") this.grid.paint();
    if (mode !== "grid") this.cycle.paint();
    const scrub = find(box, ".scrub", HTMLInputElement);
    const where = whereText(film, frame, chain);
    scrub.value = String(frame);
    scrub.setAttribute("aria-valuetext", where);
    this.$(".where").textContent = where;
    this.tell();
    this.plots.paint();
    if (this.inSight(".map")) this.map.paint();
    if (this.inSight(".twin")) paintTwin(this);
    this.writeHeads();
  }
  writeHeads() {
    const { film, frame, chain, layer } = this;
    const several = film.groups.length > 1;
    const times = several ? `, ${film.groups.length > 2 ? `${film.groups.length} times` : "twice"}` : "";
    this.write('[data-figure="chains"] b', `${film.per > 1 ? `${film.per} chains` : "The chain"}${times}`);
    let what = film.called(layer);
    if (layer.endsWith("v") && frame < 2) what = "the start v";
    if (!layer.endsWith("v") && frame === 0) what = "made in the first half step";
    const hint = film.n_chains > 1 && !this.narrow ? " · click to enlarge" : "";
    this.write('[data-figure="chains"] .what', `${what}${hint}`);
    const name = nameOf(film, chain);
    this.write(
      '[data-figure="cycle"] b',
      `${name[0].toUpperCase()}${name.slice(1)}${this.narrow ? "" : ", half step by half step"}`,
    );
    this.$('[data-figure="cycle"] b').style.boxShadow = several ? `0 3px ${css(this.colourOf(chain))}` : "";
  }
  tell() {
    if (this.film) this.write(".sentence", sentence(this.film, this.frame, this.chain));
  }
  /** @param {string} selector */
  inSight(selector) {
    return savingNow() || !this.hidden.has(this.$(selector));
  }
  /**
   * Writes words where they have changed: an unchanged live region stays silent.
   * @param {string} selector
   * @param {string} text
   */
  write(selector, text) {
    const node = this.$(selector);
    const words = inWords(text, this.film?.table);
    if (node.textContent !== words) node.textContent = words;
  }
}

/**
 * What its chains begin with.
 * @param {Trajectory} film
 */
function startOf(film) {
  return JSON.stringify([film.start, film.start_sentence]);
}

/** @param {import("../lib/view.js").Mounted} component */
export default (component) => show(component, Player);
