// Layers in 256 shades, quickly enough for a hundred chains at sixty frames a second.

import { bitOf } from "../lib/blob.js";
import { clamp, sigmoid } from "../lib/numbers.js";

/** @typedef {import("./trajectory.js").Trajectory} Trajectory */
/** @typedef {import("./trajectory.js").Weights} Weights */

const REMEMBERED = 16000; // pictures
// σ in 4,096 steps of 1/128 of a logit: finer than a shade.
const PER_LOGIT = 128;
const SIGMOIDS = Uint8Array.from({ length: 4096 }, (_, i) => 255 * sigmoid((i - 2048) / PER_LOGIT) + 0.5);

/** The shades of a film's layers; p(v|h) of many chains comes by way of tables. */
export class Shades {
  /** @param {Trajectory} film */
  constructor(film) {
    this.film = film;
    /** @type {Map<number, Uint8Array>} p(v|h) by sweep and chain */
    this.known = new Map();
    /** @type {Map<Weights, Float32Array>} */
    this.sums = new Map();
    this.logits = new Float32Array(film.n_visible);
    this.board = new Uint8Array();
  }
  /**
   * A layer at a frame, or null where it has not been drawn yet; valid until the next call.
   * @param {import("./trajectory.js").Layer} layer
   * @param {number} frame
   * @param {number} chain
   */
  of(layer, frame, chain) {
    const { film } = this;
    const t = frame >> 1;
    if (layer === "pv" && t > 0 && film.a.h_bits && !film.real) {
      return this.meanV(film.a.h_bits, t, chain);
    }
    const values = film.show(layer, frame, chain);
    if (!values) return null;
    if (this.board.length !== values.length) this.board = new Uint8Array(values.length);
    for (let i = 0; i < values.length; i++) this.board[i] = clamp(values[i], 0, 1) * 255 + 0.5;
    return this.board;
  }
  /**
   * p(v|h) after sweep t.
   * @param {Uint8Array} bits of the hidden units
   * @param {number} t
   * @param {number} chain
   */
  meanV(bits, t, chain) {
    const key = t * this.film.n_chains + chain;
    let out = this.known.get(key);
    if (!out) {
      if (this.known.size > REMEMBERED) this.known.clear();
      out = this.quickMeanV(bits, t, chain);
      this.known.set(key, out);
    }
    return out;
  }
  /**
   * The logits of a chain are the sum of one row of the table for every four hidden units: a quarter of as many rows as
   * there are hidden units, whichever of them are on.
   * @param {Uint8Array} bits
   * @param {number} t
   * @param {number} chain
   */
  quickMeanV(bits, t, chain) {
    const { film, logits } = this;
    const { n_visible: n, n_hidden: H } = film;
    const groups = Math.ceil(H / 4);
    const weights = film.weightsOf(chain, t);
    const sums = this.sumsOf(weights, groups);
    const from = ((t - 1) * film.n_chains + chain) * ((H + 7) >> 3);
    const row = (/** @type {number} */ g) => {
      if (g >= groups) return 0;
      const byte = bits[from + (g >> 1)];
      return (g * 16 + (g & 1 ? byte & 15 : byte >> 4)) * n;
    };
    logits.set(weights.vbias);
    for (let g = 0; g < groups; g += 4) {
      const a = row(g);
      const b = row(g + 1);
      const c = row(g + 2);
      const d = row(g + 3);
      for (let i = 0; i < n; i++) logits[i] += sums[a + i] + sums[b + i] + sums[c + i] + sums[d + i];
    }
    const out = new Uint8Array(n);
    const scale = PER_LOGIT * film.betaOf(chain, t);
    for (let i = 0; i < n; i++) out[i] = SIGMOIDS[clamp((logits[i] * scale + 2048.5) | 0, 0, 4095)];
    const { held } = film.a;
    if (!held) return out;
    const start = film.v(0, chain);
    return out.map((shade, i) => (bitOf(held, i) ? start[i] * 255 : shade));
  }
  /**
   * All 16 sums of every four rows of Wᵀ, (groups, 16, V). The first row of all is zero: the sum of no unit.
   * @param {Weights} weights
   * @param {number} groups
   */
  sumsOf(weights, groups) {
    let sums = this.sums.get(weights);
    if (sums) return sums;
    const n = this.film.n_visible;
    const { WT } = weights;
    sums = new Float32Array(groups * 16 * n);
    for (let g = 0; g < groups; g++) {
      for (let k = 1; k < 16; k++) {
        const low = k & -k; // the lowest unit that is on; the other units' sum is known
        const at = (g * 16 + k) * n;
        const rest = (g * 16 + (k ^ low)) * n;
        const row = (g * 4 + 3 - Math.log2(low)) * n;
        if (row < WT.length) for (let i = 0; i < n; i++) sums[at + i] = sums[rest + i] + WT[row + i];
      }
    }
    this.sums.set(weights, sums);
    return sums;
  }
}
