// An RBM so small that all its pictures can be counted: rbm_core/enumerable.py in the browser.
//
// A picture of V pixels is the number whose first pixel is the highest bit.

import { sigmoid } from "../lib/numbers.js";

// A double holds the exponential of a sum below 600 nats.
const EXPONENTIAL = 600;

/** @param {number} x */
const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** E(v, h) = −b·v − c·h − vᵀWh, its parameters views into one array: W row by row, then both biases. */
export class TinyRBM {
  /**
   * @param {Float32Array} flat (VH + V + H)
   * @param {number} V
   * @param {number} H
   */
  constructor(flat, V, H) {
    this.V = V;
    this.H = H;
    this.W = flat.subarray(0, V * H);
    this.b = flat.subarray(V * H, V * H + V);
    this.c = flat.subarray(V * H + V);
  }
  /**
   * @param {number} state
   * @param {number} i the pixel
   */
  bit(state, i) {
    return (state >> (this.V - 1 - i)) & 1;
  }
  /**
   * c + vW, (H).
   * @param {number} state
   */
  inputs(state) {
    const x = Float64Array.from(this.c);
    for (let i = 0; i < this.V; i++) {
      if (this.bit(state, i)) for (let j = 0; j < this.H; j++) x[j] += this.W[i * this.H + j];
    }
    return x;
  }
  /**
   * F(v) in nats.
   * @param {number} state
   */
  freeEnergy(state) {
    let f = 0;
    for (let i = 0; i < this.V; i++) if (this.bit(state, i)) f -= this.b[i];
    for (const x of this.inputs(state)) f -= softplus(x);
    return f;
  }
  /**
   * F of every picture, (2^V) in nats. Pictures are taken in Gray-code order: each differs from the one before by one
   * pixel, so one row of W is added or taken away.
   */
  freeEnergies() {
    const out = new Float32Array(1 << this.V);
    let most = 0; // |input| at most, summed over the hidden units
    for (const w of [...this.W, ...this.c]) most += Math.abs(w);
    if (most < EXPONENTIAL) this.fromProducts(out);
    else this.fromSums(out);
    return out;
  }
  /**
   * The product of all (1 + eˣ) fits a double: one multiplication a unit instead of an exponential.
   * @param {Float32Array} out
   */
  fromProducts(out) {
    const { H } = this;
    const E = Float64Array.from(this.c, Math.exp);
    const up = Float64Array.from(this.W, Math.exp);
    const down = Float64Array.from(this.W, (w) => Math.exp(-w));
    this.eachPicture((state, pixel, on, linear) => {
      const factor = on ? up : down;
      if (pixel >= 0) for (let j = 0; j < H; j++) E[j] *= factor[pixel * H + j];
      let product = 1;
      for (let j = 0; j < H; j++) product *= 1 + E[j];
      out[state] = -linear - Math.log(product);
    });
  }
  /**
   * One logarithm a picture: the large parts are kept outside it.
   * @param {Float32Array} out
   */
  fromSums(out) {
    const { H, W } = this;
    const x = Float64Array.from(this.c);
    this.eachPicture((state, pixel, on, linear) => {
      const sign = on ? 1 : -1;
      if (pixel >= 0) for (let j = 0; j < H; j++) x[j] += sign * W[pixel * H + j];
      let large = 0;
      let product = 1;
      for (let j = 0; j < H; j++) {
        if (x[j] > 0) large += x[j];
        product *= 1 + Math.exp(-Math.abs(x[j]));
      }
      out[state] = -linear - large - Math.log(product);
    });
  }
  /**
   * Calls `visit(state, pixel, on, b·v)` for every picture in Gray-code order: `pixel` is the one that has changed (−1 at
   * first) and `on` what it became.
   * @param {(state: number, pixel: number, on: boolean, linear: number) => void} visit
   */
  eachPicture(visit) {
    let state = 0;
    let linear = 0;
    visit(0, -1, false, 0);
    for (let k = 1; k < 1 << this.V; k++) {
      const place = 31 - Math.clz32(k & -k);
      const pixel = this.V - 1 - place;
      state ^= 1 << place;
      const on = ((state >> place) & 1) === 1;
      linear += on ? this.b[pixel] : -this.b[pixel];
      visit(state, pixel, on, linear);
    }
  }
  /**
   * The likeliest pictures, likeliest first.
   * @param {number} count
   */
  likeliest(count) {
    const F = this.freeEnergies();
    /** @type {number[]} */
    const best = [];
    for (let v = 0; v < F.length; v++) {
      if (best.length === count && F[v] >= F[best[count - 1]]) continue;
      best.push(v);
      best.sort((x, y) => F[x] - F[y]);
      if (best.length > count) best.pop();
    }
    return best;
  }
  /**
   * One chain's states from given chance, hidden units first: [v₀, h₁, v₁, h₂, v₂, …], each as its number. A unit turns
   * on where its number of chance is below its probability.
   * @param {number} start
   * @param {ArrayLike<number>} chance (sweeps, H + V)
   * @param {number} sweeps
   */
  walk(start, chance, sweeps) {
    const { V, H, W, b } = this;
    const path = [start];
    let v = start;
    let u = 0;
    for (let t = 0; t < sweeps; t++) {
      const x = this.inputs(v);
      const y = Float64Array.from(b);
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
