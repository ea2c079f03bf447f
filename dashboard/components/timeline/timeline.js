// The time slider of a run: every kept snapshot, the newest state, and playing through them.
// It answers at once in the browser, where the knob and the curves' cursor move, and sends the server the step wanted.

import { dot, segment, sharpen, spotOf, textScale } from "../lib/canvas.js";
import { el, icon, PAUSE, PLAY } from "../lib/dom.js";
import { clamp, pretty } from "../lib/numbers.js";
import { onResize, show, View } from "../lib/view.js";
import { Landing } from "./landing.js";
import { Presses } from "./presses.js";
import { Saving } from "./saving.js";
import { Sight } from "./sight.js";

/** @typedef {{ step: number, label: string }} RunEvent something that happened in the run */
/**
 * @typedef {object} Header
 * @property {string} run its name
 * @property {number[]} steps of the snapshots
 * @property {number} newest step of the newest state
 * @property {number} n_steps planned
 * @property {number} steps_per_epoch
 * @property {number} shown step of the state that the page shows
 * @property {boolean} follows the page follows the newest state
 * @property {boolean} alive the trainer lives
 * @property {boolean} moving training goes on
 * @property {RunEvent[]} events
 * @property {string | null} answers the nonce of the newest wish answered
 * @property {boolean} plays the page is one whose timelapse plays by itself, once in a browser tab
 * @property {string[]} heard the names of the last presses of the page's buttons that reached the app
 * @property {import("./saving.js").Progress | undefined} export
 */
/** @typedef {number | "live"} Moment a step, or the newest state */

const PREVIOUS = "M6 6h2v12H6zm3.5 6 8.5 6V6z";
const NEXT = "M16 6h2v12h-2zM6 18l8.5-6L6 6z";
const PLAY_WORDS = "Play the training as a timelapse";
const PLACES =
  "A dot is a saved moment. Early steps, when most changes, lie further apart: places go by the cube root of the step";
const EPOCHS = [0, 0.1, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
const PAD = 12;
const HEIGHT = 46;
const BAR = 18; // the bar's height on the canvas
const WORDS = 42; // the baseline of the words beneath it
const NARROW = 620; // units: below, the slider has a line of its own
const LOST_AFTER = 15000; // ms after which a wish that nobody answered is given up

/**
 * The slider: the moment shown, the one wished for, and playing. Presses of the page's buttons and the saving of an
 * animation are classes of their own.
 */
class Timeline extends View {
  /** @type {Header} */
  h;
  /** @type {Moment | null} the reader's wish, until it is shown */
  wanted = null;
  /** @type {string | undefined} the nonce of the wish under way */
  asked;
  /** @type {Moment | undefined} the wish to send after it */
  next;
  wishes = 0;
  sent = 0;
  lost = 0;
  playing = false;
  rate = 8;
  timer = 0;
  width = 0;
  /** @type {number | null} the snapshot nearest to the pointer */
  over = null;

  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    const button = (/** @type {string} */ path, /** @type {string} */ label, /** @type {() => void} */ act) =>
      el("button", { title: label, "aria-label": label, onclick: act }, icon(path));
    this.playButton = button(PLAY, PLAY_WORDS, () => this.toggle());
    const back = button(PREVIOUS, "One snapshot back", () => this.shift(-1));
    const on = button(NEXT, "One snapshot on", () => this.shift(1));
    const speed = el("select", { "aria-label": "Timelapse speed", title: "Timelapse speed" });
    speed.append(...[2, 4, 8, 16].map((rate) => el("option", { value: rate }, `${rate}/s`)));
    speed.value = String(this.rate);
    speed.onchange = () => {
      this.rate = Number(speed.value);
    };
    this.saving = new Saving(this);
    this.moving = [this.playButton, back, on, this.saving.picker];
    this.liveButton = el("button", { class: "live", onclick: () => this.go("live") });
    const label = "Moment of the training shown on this page";
    this.canvas = el("canvas", { role: "slider", tabindex: "0", "aria-label": label, title: PLACES });
    this.stage = el("div", { class: "stage" }, this.canvas);
    const parts = [this.playButton, back, on, this.stage, speed, this.saving.picker, this.liveButton];
    this.bar = el("div", { class: "bar" }, ...parts);
    const silence = el("div", { class: "silence", role: "status", hidden: "" });
    root.append(this.bar, silence, this.saving.refusal);
    this.presses = new Presses(this, silence);
    this.landing = new Landing(this);
    this.sight = new Sight(this);
    this.observer = onResize(this, root);
    this.stop = new AbortController();
    this.listen();
  }
  close() {
    this.observer.disconnect();
    this.presses.close();
    this.saving.close();
    this.landing.end();
    this.sight.close();
    this.stop.abort();
    clearTimeout(this.timer);
    clearTimeout(this.lost);
  }
  /** When the last refresh came, in ms. */
  get last() {
    return this.presses.last;
  }

  /** @param {{ header: Header, arrays: { export?: Uint8Array<ArrayBuffer>, frames?: Uint8Array } }} blob */
  receive({ header, arrays }) {
    this.h = header;
    this.presses.refreshed(header.run, header.heard);
    this.saving.receive(header.export, arrays.export);
    this.landing.receive(header.plays, arrays.frames);
    this.sight.follow(header.moving && header.follows);
    if (this.asked !== undefined) {
      // Until the newest wish is answered, the page shows an older one.
      if (header.answers !== this.asked) return;
      this.asked = undefined;
      if (this.next !== undefined) {
        const step = this.next;
        this.next = undefined;
        this.send(step);
        return;
      }
    }
    this.wanted = null;
    if (this.playing) this.schedule();
  }

  // Which moment is shown, and wishing for another

  get step() {
    if (this.landing.step !== null) return this.landing.step;
    return this.wanted !== null && this.wanted !== "live" ? this.wanted : this.h.shown;
  }
  get follows() {
    if (this.landing.playing) return false;
    return this.wanted !== null ? this.wanted === "live" : this.h.follows;
  }
  /**
   * Asks the server for a moment; while it answers, only the newest further wish is kept.
   * @param {Moment} step
   */
  send(step) {
    this.wanted = step;
    if (this.asked !== undefined) {
      this.next = step;
      return;
    }
    this.wishes += 1;
    this.asked = `${step}#${this.wishes}`;
    this.sent = performance.now();
    this.say("at", { step, nonce: this.asked, playing: this.playing });
    clearTimeout(this.lost);
    this.lost = setTimeout(() => {
      this.asked = undefined;
      this.wanted = null;
      this.playing = false;
      this.draw();
    }, LOST_AFTER);
  }
  /**
   * @param {Moment} step
   * @param {boolean} [keepPlaying]
   */
  go(step, keepPlaying = false) {
    if (!this.h?.steps.length) return;
    this.landing.end();
    if (!keepPlaying) this.playing = false;
    this.send(step);
    const detail = { step: step === "live" ? this.h.newest : step };
    window.dispatchEvent(new CustomEvent("rbm-moment", { detail }));
    this.draw();
  }
  /** The last snapshot that is not later than the moment shown. */
  index() {
    const { steps } = this.h;
    let i = 0;
    while (i + 1 < steps.length && steps[i + 1] <= this.step) i++;
    return i;
  }
  /** @param {number} by snapshots */
  shift(by) {
    const { steps } = this.h;
    const i = this.index();
    // Between two snapshots (the live state), one back is the snapshot before it.
    const to = by < 0 && steps[i] < this.step ? i : i + by;
    if (to >= 0 && to < steps.length) this.go(steps[to]);
  }
  /**
   * The snapshot nearest to a place on the canvas.
   * @param {number} x
   */
  nearest(x) {
    const off = (/** @type {number} */ step) => Math.abs(this.place(step) - x);
    return this.h.steps.reduce((best, s) => (off(s) < off(best) ? s : best), this.h.steps[0]);
  }

  // Playing

  toggle() {
    if (this.landing.playing) {
      this.go(this.step); // pauses there
      return;
    }
    this.playing = !this.playing;
    clearTimeout(this.timer);
    if (this.playing) {
      const { steps } = this.h;
      if (this.index() >= steps.length - 1 || this.follows) this.go(steps[0], true);
      else this.schedule();
    }
    this.draw();
  }
  schedule() {
    clearTimeout(this.timer);
    const wait = 1000 / this.rate - (performance.now() - this.sent);
    this.timer = setTimeout(() => this.advance(), Math.max(0, wait));
  }
  advance() {
    if (!this.playing) return;
    const { steps } = this.h;
    const to = this.index() + 1;
    if (to < steps.length) this.go(steps[to], true);
    else this.go("live");
  }

  // Drawing

  get span() {
    return Math.max(this.h.n_steps || 0, this.h.newest || 0, 1);
  }
  /**
   * Where a step lies across. Early steps change most, and snapshots are dense there: the cube root spreads them evenly,
   * and places stay where they are while the run grows, because they depend on its planned length.
   * @param {number} step
   */
  place(step) {
    return PAD + Math.cbrt(Math.max(0, step) / this.span) * (this.width - 2 * PAD);
  }
  draw() {
    if (!this.h) return;
    const word = this.h.alive ? "live" : "end";
    this.showControls(word);
    this.width = Math.floor(this.stage.clientWidth / textScale());
    if (!this.width) return;
    const ctx = sharpen(this.canvas, this.width, HEIGHT, textScale());
    this.drawBar(ctx);
    this.drawWords(ctx, word);
    this.drawKnob(ctx);
    this.canvas.setAttribute("aria-valuemin", "0");
    this.canvas.setAttribute("aria-valuemax", String(this.h.newest));
    this.canvas.setAttribute("aria-valuenow", String(this.step));
    this.canvas.setAttribute("aria-valuetext", `step ${this.step}${this.follows ? `, ${word}` : ""}`);
  }
  /** @param {string} word for the newest state */
  showControls(word) {
    const { h, liveButton, playButton } = this;
    liveButton.replaceChildren(el("span", { class: h.moving ? "dot on" : "dot" }), word);
    liveButton.title = h.alive ? "Follow the newest state" : "Go to the last state of this run";
    liveButton.setAttribute("aria-pressed", String(this.follows));
    const playing = this.playing || this.landing.playing;
    const label = playing ? "Pause the timelapse" : PLAY_WORDS;
    playButton.replaceChildren(icon(playing ? PAUSE : PLAY));
    playButton.title = label;
    playButton.setAttribute("aria-label", label);
    playButton.setAttribute("aria-pressed", String(playing));
    for (const control of this.moving) control.disabled = h.steps.length < 2;
    this.bar.classList.toggle("narrow", this.root.clientWidth < NARROW * textScale());
  }
  /**
   * The planned run, what has been trained of it, its snapshots and its events.
   * @param {CanvasRenderingContext2D} ctx
   */
  drawBar(ctx) {
    const { h, ink } = this;
    ctx.lineWidth = 4;
    ctx.lineCap = "round";
    ctx.strokeStyle = ink.line;
    segment(ctx, PAD, BAR, this.width - PAD, BAR);
    ctx.globalAlpha = 0.45;
    ctx.strokeStyle = ink.accent;
    segment(ctx, PAD, BAR, this.place(h.newest), BAR);
    ctx.globalAlpha = 1;
    ctx.fillStyle = ink.accent;
    for (const s of h.steps) dot(ctx, this.place(s), BAR, 2.4);
    ctx.fillStyle = ink.lines.purple;
    for (const event of h.events) {
      const x = this.place(event.step);
      ctx.beginPath();
      ctx.moveTo(x - 4, 3);
      ctx.lineTo(x + 4, 3);
      ctx.lineTo(x, 10);
      ctx.fill();
    }
  }
  /**
   * Beneath the bar: the moment asked for, which is said at once and the pictures follow; else the one that the pointer
   * is at; else the epochs.
   * @param {CanvasRenderingContext2D} ctx
   * @param {string} word for the newest state
   */
  drawWords(ctx, word) {
    ctx.font = `11px ${this.ink.font}`;
    ctx.fillStyle = this.ink.text;
    ctx.textAlign = "center";
    if (this.wanted === "live") this.sayAt(ctx, this.h.newest, ` · ${word} …`);
    else if (this.wanted !== null) this.sayAt(ctx, this.wanted, " …");
    else if (this.landing.step !== null) this.sayAt(ctx, this.landing.step, "");
    else if (this.over !== null) this.sayAt(ctx, this.over, "");
    else this.sayEpochs(ctx);
    ctx.globalAlpha = 1;
  }
  /** @param {CanvasRenderingContext2D} ctx */
  sayEpochs(ctx) {
    const unit = this.h.steps_per_epoch || 1;
    const end = this.span / unit;
    ctx.globalAlpha = 0.7;
    let edge = Number.NEGATIVE_INFINITY;
    for (const e of [...EPOCHS.filter((e) => e < end * 0.93), end]) {
      const text = e === 0 ? "start" : `epoch ${pretty(e, 3)}`;
      const half = ctx.measureText(text).width / 2;
      const at = clamp(this.place(e * unit), half, this.width - half);
      if (at - half < edge + 10 || (e !== end && at + half > this.width - 70)) continue;
      ctx.fillText(text, at, WORDS);
      edge = at + half;
    }
  }
  /**
   * @param {CanvasRenderingContext2D} ctx
   * @param {number} step
   * @param {string} more
   */
  sayAt(ctx, step, more) {
    const x = this.place(step);
    const here = this.h.events.filter((e) => Math.abs(this.place(e.step) - x) < 5).map((e) => e.label);
    const epoch = `epoch ${pretty(step / (this.h.steps_per_epoch || 1), 3)}`;
    const words = [`step ${pretty(step)}`, epoch, ...new Set(here)].join(" · ") + more;
    const half = ctx.measureText(words).width / 2;
    ctx.fillText(words, clamp(x, half, this.width - half), WORDS);
  }
  /** @param {CanvasRenderingContext2D} ctx */
  drawKnob(ctx) {
    if (this.step === null || this.step === undefined) return;
    ctx.fillStyle = this.ink.paper;
    ctx.strokeStyle = this.ink.accent;
    ctx.lineWidth = 3;
    dot(ctx, this.place(this.step), BAR, 8);
    ctx.stroke();
  }

  // Pointer, keys, and the curves' wish to go to a step

  listen() {
    const across = (/** @type {MouseEvent} */ event) => spotOf(event, this.canvas, textScale())[0];
    const wish = (/** @type {number} */ x) => (x > this.place(this.h.newest) + 6 ? "live" : this.nearest(x));
    let dragging = false;
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.h?.steps.length || event.button) return;
      canvas.setPointerCapture(event.pointerId);
      dragging = true;
      this.go(wish(across(event)));
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.h?.steps.length) return;
      const x = across(event);
      const step = this.nearest(x);
      if (dragging && step !== this.step) this.go(wish(x));
      this.over = step;
      this.draw();
    });
    canvas.addEventListener("pointerup", () => {
      dragging = false;
    });
    canvas.addEventListener("pointerleave", () => {
      this.over = null;
      this.draw();
    });
    canvas.addEventListener("keydown", (event) => this.key(event));
    const goto = (/** @type {any} */ event) => this.h && this.go(this.nearest(this.place(event.detail.step)));
    window.addEventListener("rbm-goto", goto, { signal: this.stop.signal });
  }
  /** @param {KeyboardEvent} event */
  key(event) {
    /** @type {Record<string, () => void>} */
    const acts = {
      ArrowLeft: () => this.shift(-1),
      ArrowRight: () => this.shift(1),
      Home: () => this.go(this.h.steps[0]),
      End: () => this.go("live"),
      " ": () => this.toggle(),
    };
    if (!this.h || !(event.key in acts)) return;
    event.preventDefault();
    this.over = null; // a pointer that only rests here says no more where one is
    acts[event.key]();
  }
}

/** @param {import("../lib/view.js").Mounted} component */
export default (component) => show(component, Timeline);
