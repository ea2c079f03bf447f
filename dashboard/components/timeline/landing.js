// The timelapse that plays by itself on a first visit. All its frames come at once, and the browser plays them by its
// own clock: it takes as long on a busy machine, which leaves frames out.

import { unpack } from "../lib/blob.js";

const PLAYED = "rbm-landed"; // set in the tab's session once it has played
const LENGTH = 10000; // ms
const LINGER = 1.5; // the first frame stays 1.5 times as long as the mean frame, since most happens at the start
const ASK_AGAIN = 3000; // ms

/**
 * The frame shown after a share of the time. The frames become shorter evenly: frame i of n begins at the share
 * L·u − (L − 1)·u² with u = i/n and L = LINGER, which this solves for u.
 * @param {number} share in [0, 1]
 * @param {number} n frames
 */
export function frameAt(share, n) {
  const u = (LINGER - Math.sqrt(LINGER ** 2 - 4 * (LINGER - 1) * share)) / (2 * (LINGER - 1));
  return Math.min(n - 1, Math.floor(u * n + 1e-9));
}

/** Asks for the frames once in a tab, plays them and rests. `step` is that of the frame shown, else null. */
export class Landing {
  /** @param {import("../lib/view.js").View} view what asks the page for the frames and is drawn with each of them */
  constructor(view) {
    this.view = view;
    /** @type {number | null} */
    this.step = null;
    this.decided = false;
    this.asking = 0;
    this.next = 0;
    this.began = 0;
    /** @type {import("../lib/blob.js").Payload | null} */
    this.frames = null;
  }
  get playing() {
    return this.frames !== null;
  }
  /**
   * A refresh came: the first one decides.
   * @param {boolean} plays whether the page is one that plays by itself
   * @param {Uint8Array | undefined} frames
   */
  receive(plays, frames) {
    if (!this.decided && plays && !sessionStorage.getItem(PLAYED)) {
      // Not for those who asked their system for less motion.
      if (!matchMedia("(prefers-reduced-motion: reduce)").matches) this.ask();
    }
    this.decided = true;
    if (this.asking && frames) this.begin(frames);
  }
  ask() {
    sessionStorage.setItem(PLAYED, "1");
    this.view.ask("frames", 1);
    this.asking = setInterval(() => this.view.ask("frames", 1), ASK_AGAIN);
  }
  /** @param {Uint8Array} frames */
  begin(frames) {
    this.stopAsking();
    this.frames = unpack(frames);
    this.began = performance.now();
    this.advance();
  }
  stopAsking() {
    clearInterval(this.asking);
    this.asking = 0;
  }
  advance() {
    if (!this.frames) return;
    const { steps, filters, particles } = this.frames.header;
    const share = (performance.now() - this.began) / LENGTH;
    if (share >= 1) {
      this.end();
      this.point(steps.at(-1));
      return;
    }
    const i = frameAt(share, steps.length);
    if (steps[i] !== this.step) {
      this.step = steps[i];
      this.show({
        filters: this.part("filters", filters, i),
        particles: this.part("particles", particles, i),
      });
      this.point(steps[i]);
    }
    this.next = requestAnimationFrame(() => this.advance());
  }
  /**
   * The knob and the curves' cursor.
   * @param {number} step
   */
  point(step) {
    window.dispatchEvent(new CustomEvent("rbm-moment", { detail: { step } }));
    this.view.draw();
  }
  /**
   * One mosaic of a frame, as its component takes it.
   * @param {string} kind
   * @param {object[]} headers
   * @param {number} i
   */
  part(kind, headers, i) {
    const { arrays } = /** @type {import("../lib/blob.js").Payload} */ (this.frames);
    const at = (/** @type {string} */ name) => {
      const all = arrays[`${kind}_${name}`];
      const shape = all.shape.slice(1);
      const size = shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1);
      return Object.assign(all.subarray(i * size, (i + 1) * size), { shape });
    };
    return { header: headers[i], arrays: { tiles: at("tiles"), facts: at("facts") } };
  }
  /** Gives the page its own moment back. */
  end() {
    this.stopAsking();
    cancelAnimationFrame(this.next);
    if (!this.frames) return;
    this.frames = this.step = null;
    this.show(null);
  }
  /**
   * The mosaics show the frame. The page's words about the moment it has sent are hidden meanwhile: each mosaic says
   * its own.
   * @param {object | null} frame
   */
  show(frame) {
    document.querySelector(".st-key-train-head")?.toggleAttribute("data-playing", frame !== null);
    window.dispatchEvent(new CustomEvent("rbm-frame", { detail: frame }));
  }
}
