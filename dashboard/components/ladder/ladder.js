// The player of a ladder: a blob in, everything else happens here, without a rerun of the page.

import { find, findCanvas } from "../lib/dom.js";
import { actOf } from "../lib/keys.js";
import { amendLink } from "../lib/link.js";
import { clamp } from "../lib/numbers.js";
import { playFrames, showPlaying } from "../lib/playback.js";
import { saveButtons, sourceOf } from "../lib/save.js";
import { onResize, paintSoon, show, View } from "../lib/view.js";
import { Braid } from "./braid.js";
import { sentence, tripsText, whereText } from "./narration.js";
import { Record } from "./record.js";
import { Strips } from "./strips.js";
import { Walk } from "./walk.js";

const SPEED = 8; // half rounds a second, at first
const SETTLED = 500; // ms without a change after which the page hears where the reader is
const NARROW = 760; // css pixels

/** The player: a film and a frame. */
export class Ladder extends View {
  /** @type {Record} */
  film;
  frame = 0;
  playing = false;
  speed = SPEED;
  narrow = false;
  width = 0;
  braidWidth = 0;
  mapWidth = 0;
  /** @type {string[]} of the replicas: blue began at noise, red at the last rung */
  colours = [];
  walks = { tempered: "", plain: "" };
  drawn = 0;
  waiting = 0;
  leaving = 0;

  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    this.box = find(root, ".ladder");
    this.$ = (/** @type {string} */ selector) => find(this.box, selector);
    this.strips = new Strips(findCanvas(this.box, ".strips"));
    this.braid = new Braid(findCanvas(this.box, ".braid"));
    this.walk = new Walk(findCanvas(this.box, ".map"));
    this.scrub = find(this.box, ".scrub", HTMLInputElement);
    this.stop = new AbortController();
    this.listen();
    this.furnish();
    this.observer = onResize(this, this.box);
  }
  close() {
    clearTimeout(this.leaving);
    this.playing = false;
    this.stop.abort();
    this.observer.disconnect();
  }
  listen() {
    const options = { signal: this.stop.signal };
    for (const button of this.box.querySelectorAll("[data-do]")) {
      const what = /** @type {import("../lib/keys.js").Act} */ (button.getAttribute("data-do"));
      button.addEventListener("click", () => this.act(what), options);
    }
    const speed = find(this.box, ".speed", HTMLSelectElement);
    speed.value = String(this.speed);
    speed.addEventListener("change", () => Object.assign(this, { speed: Number(speed.value) }), options);
    this.scrub.addEventListener("input", () => {
      this.pause();
      this.seek(Number(this.scrub.value));
    });
    this.braid.canvas.addEventListener("click", (event) => {
      const near = this.braid.replicaNear(this, event);
      this.braid.followed = this.braid.followed === near ? null : near;
      paintSoon(this);
    });
    document.addEventListener(
      "keydown",
      (event) => {
        const act = this.film && this.box.isConnected ? actOf(event, this.box) : null;
        if (!act) return;
        event.preventDefault();
        this.act(act);
      },
      options,
    );
  }
  furnish() {
    const rows = { tops: this.strips.canvas, rungs: this.braid.canvas, walk: this.walk.canvas };
    for (const [name, canvas] of Object.entries(rows)) {
      const head = this.$(`[data-figure="${name}"]`);
      const picture = () => ({
        title: find(head, "b").textContent ?? "",
        name: `ladder-${name}`,
        of: { ...this.film.of, more: `${this.film.of.more} · ${whereText(this.film, this.frame)}` },
        rows: [[canvas]],
        note: find(head, ".what").textContent,
      });
      const view = this;
      head.append(
        saveButtons({
          picture,
          draw: () => this.paint(),
          get ink() {
            return view.ink;
          },
        }),
      );
    }
  }

  // --- where the reader is ---

  /** @param {import("../lib/keys.js").Act} what */
  act(what) {
    if (what === "play") {
      if (this.playing) this.pause();
      else this.play();
      return;
    }
    this.pause();
    const { frame } = this;
    const to = { back: frame - 1, forward: frame + 1, sweepBack: frame - 2, sweepForward: frame + 2 };
    this.seek({ first: 0, last: this.film.last, fork: frame, ...to }[what]);
  }
  play() {
    playFrames(this);
  }
  pause() {
    if (!this.playing) return;
    this.playing = false;
    this.setPlayButton();
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
    paintSoon(this);
    this.leave();
  }
  /** Once the reader has settled, link and page say where. */
  leave() {
    clearTimeout(this.leaving);
    if (this.playing) return;
    this.leaving = setTimeout(() => {
      if (this.playing || !this.box.isConnected) return;
      amendLink({ frame: this.frame }, { frame: 0 });
      this.ask("moment", this.frame);
    }, SETTLED);
  }

  // --- data and drawing ---

  /** @param {{ header: any, arrays: import("./record.js").Arrays }} blob */
  receive(blob) {
    if (this.stale(blob.header) || blob.header.same) return;
    const first = !this.film;
    this.pause();
    this.film = new Record(blob);
    this.frame = clamp(first ? this.film.frame : this.frame, 0, this.film.last);
    this.braid.followed = null;
    this.scrub.max = String(this.film.last);
    this.$(".caption").textContent =
      `${sourceOf(this.film.of)} · rungs: ${this.film.source}, “≈”: a machine between two of them, its weights interpolated`;
    this.$(".walk").hidden = !this.film.map;
    this.write('[data-figure="walk"] .what', this.film.map ?? "");
    this.write(
      '[data-figure="rungs"] .what',
      "colour: the rung where a picture began, blue at noise, red at the top; click a line to follow it",
    );
  }
  draw() {
    if (!this.film || !this.box.clientWidth) return;
    this.box.classList.toggle("dark", this.dark);
    const style = getComputedStyle(this.box);
    this.walks = { tempered: style.getPropertyValue("--tempered"), plain: style.getPropertyValue("--plain") };
    const { K } = this.film;
    this.colours = Array.from({ length: K }, (_, k) => {
      const hue = 265 - (250 * k) / (K - 1); // from blue over green to red
      return this.dark ? `oklch(0.76 0.14 ${hue})` : `oklch(0.6 0.16 ${hue})`;
    });
    this.braid.colours = this.colours;
    this.narrow = this.box.clientWidth < NARROW;
    this.box.classList.toggle("narrow", this.narrow);
    this.width = this.box.clientWidth;
    this.braidWidth = this.$(".rungs").clientWidth;
    this.mapWidth = this.$(".walk").clientWidth;
    paintSoon(this);
  }
  paint() {
    const { film, frame } = this;
    Object.assign(this.box.dataset, { frame, drawn: ++this.drawn, trips: film.a.trips[frame >> 1] });
    const every = this.strips.paint(this);
    this.braid.paint(this);
    this.walk.paint(this);
    this.scrub.value = String(frame);
    this.scrub.setAttribute("aria-valuetext", whereText(film, frame));
    this.write(".where", whereText(film, frame));
    this.write(".trips", tripsText(film, frame));
    this.write(".sentence", sentence(film, frame));
    this.write(
      '[data-figure="tops"] .what',
      `a picture ${every === 1 ? "every round" : `every ${every} rounds`}; the bar below it says which line brought it up`,
    );
  }
  /**
   * @param {string} selector
   * @param {string} text
   */
  write(selector, text) {
    const node = this.$(selector);
    if (node.textContent !== text) node.textContent = text;
  }
}

/** @param {import("../lib/view.js").Mounted} component */
export default (component) => show(component, Ladder);
