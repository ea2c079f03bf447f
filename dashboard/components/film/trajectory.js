// A Gibbs film: what the engine recorded of some chains, and the two conditionals worked out from its weights.
//
// A film of S sweeps has 2S + 1 frames. Frame 0 is the start. Frame 2t − 1 is the first half of sweep t (hidden units
// drawn from the picture), frame 2t its second half (pixels drawn from the hidden units). States and free energies come
// from the engine; probabilities are computed here from the very weights that the chain was run with: the blob carries
// them in the snapshot's own half precision. dashboard/figures/chains.py reads the same blob.

import { bitOf, halfToFloat } from "../lib/blob.js";
import { pretty, sigmoid } from "../lib/numbers.js";

/** @typedef {"v" | "pv" | "ph" | "h"} Layer v, p(v|h), p(h|v), h */
/** @typedef {"both" | "grid" | "one"} Show all chains, one of them in all its layers, or both */
/** @typedef {"energy" | "distance" | "nearest"} CurveName */
/**
 * B chains, G groups, S sweeps, K sets of weights. Bits are packed along units; `_half` stands for values that are not
 * bits. beta and machine: (G, S): the inverse temperature and the set of weights of each group's sweep.
 * @typedef {object} Arrays
 * @property {Uint16Array | Float32Array} W (K, V, H), half precision; single where half would make a weight infinite
 * @property {Float32Array} vbias (K, V)
 * @property {Float32Array} hbias (K, H)
 * @property {Float32Array} [h_gain] (K, V) what pixels are multiplied by on their way to the hidden units
 * @property {Float32Array} beta
 * @property {Int32Array} machine
 * @property {Uint8Array} [v_bits] (S + 1, B, ⌈V/8⌉)
 * @property {Uint8Array} [h_bits] (S, B, ⌈H/8⌉)
 * @property {Uint16Array} [y_half] (S + 1, B, L) the label units, where labels are drawn with the pixels
 * @property {Float32Array} [label_W] (K, L, H)
 * @property {Uint16Array} [v_half] (S + 1, B, V)
 * @property {Uint16Array} [h_half] (S, B, H)
 * @property {Uint16Array} [v_start] (B, V) a start that is not bits
 * @property {Uint8Array} [held] (⌈V/8⌉) pixels that never change
 * @property {Float32Array} [pixel_mean] (V) grey value of a standardised pixel at 0
 * @property {Float32Array} [pixel_std] (V) grey values per unit
 * @property {Float32Array} free_energy (S + 1, B) nats
 * @property {Int32Array} distance (S + 1, B) pixels
 * @property {Int32Array} [near_distance] (⌊S/every⌋ + 1, B) pixels
 * @property {Int32Array} near_number (⌊S/every⌋ + 1, B)
 * @property {Int32Array} near_numbers the numbers of the images below, ascending
 * @property {Uint8Array} near_labels 255: none
 * @property {Uint8Array & { shape: number[] }} near_bits
 * @property {Float32Array} map_points (N, 2)
 * @property {Uint8Array} map_labels (N)
 * @property {Float32Array} map_path (S + 1, B, 2)
 */
/**
 * The weights that made a sweep, both ways round.
 * @typedef {{ W: Float32Array, WT: Float32Array, vbias: Float32Array, hbias: Float32Array, gain: Float32Array | null, U: Float32Array | null }} Weights
 */

const REMEMBERED = 4000; // conditionals

/**
 * E[v | h] from y = b + Wh at inverse temperature β, by the law of the visible units, as in rbm_core/visible.py.
 * @type {Record<string, (y: number, beta: number) => number>}
 */
const MEANS = { bernoulli: (y, beta) => sigmoid(beta * y), gaussian: (y) => y };

/**
 * A film. Its header's fields are its own; groups of chains run side by side from the same starts, and `n_chains` counts
 * all of them. States, conditionals and measures are asked for by sweep t and chain.
 */
export class Trajectory {
  n_sweeps = 0;
  n_chains = 0;
  n_visible = 0;
  n_hidden = 0;
  /** @type {number | null} of ordered hidden units */
  penalty = null;
  /** The law of the visible units, by its name in MEANS. */
  visible = "bernoulli";
  /** @type {[number, number]} */
  image_shape = [0, 0];
  /** @type {import("../lib/table.js").Table | null} pictures are rows of a table */
  table = null;
  /** @type {string[]} what the label units stand for */
  labels = [];
  /** No coin is tossed: states are probabilities. */
  mean_field = false;
  /** @type {string[]} a name each; one group without a name where nothing runs beside it */
  groups = [];
  /** @type {number | null} the sweep after which the groups part */
  fork = null;
  /** @type {number[]} of the moments of training, where several run side by side */
  steps = [];
  /** @type {unknown} what the chains begin with */
  start = null;
  start_sentence = "";
  /** What distances are counted from. */
  reference = "";
  /** @type {{ low: number, high: number, label: string } | null} the middle 90 % of the data's free energies, nats */
  band = null;
  /** @type {string | null} what the map shows; null: there is none (yet) */
  map = null;
  map_pending = false;
  /** @type {{ every: number, noun: string, source: string } | null} how nearest images were looked for */
  nearest = null;
  nearest_pending = false;
  /** @type {import("../lib/save.js").Source} */
  of = {};
  /** @type {{ frame: number, chain: number, show: Show, layer: Layer }} where to begin; chains count from 1 */
  place = { frame: 0, chain: 1, show: "both", layer: "pv" };
  /** Where the link says nothing. */
  place_defaults = { ...this.place };
  /** Whether the page was made for a narrow window. */
  slim = false;

  /** @param {{ header: object, arrays: Arrays }} blob */
  constructor({ header, arrays }) {
    Object.assign(this, header);
    this.a = arrays;
    /** The last frame. */
    this.last = 2 * this.n_sweeps;
    /** Chains a group. */
    this.per = this.n_chains / this.groups.length;
    /** @type {Map<number, Weights>} */
    this.weights = new Map();
    /** @type {Map<number, Float32Array>} */
    this.memory = new Map();
  }
  /** Where it comes from, in words: of which moments, where several run side by side. */
  get source() {
    if (!this.steps.length) return this.of;
    const steps = this.steps.map((step) => pretty(step)).join(", ");
    return { ...this.of, step: null, more: `steps ${steps} side by side · ${this.of.more}` };
  }
  /** Whether visible states are real numbers; only Bernoulli units are 0 or 1. */
  get real() {
    return this.visible !== "bernoulli";
  }
  /** Whether any sweep ran at another temperature than 1. */
  get heated() {
    return this.a.beta.some((beta) => Math.abs(beta - 1) > 1e-6);
  }

  // Groups, temperatures, weights

  /** @param {number} chain */
  groupOf(chain) {
    return Math.floor(chain / this.per);
  }
  /**
   * Where the schedules say what ran in sweep t of a chain; the start goes by the first sweep.
   * @param {number} chain
   * @param {number} t
   */
  scheduled(chain, t) {
    return this.groupOf(chain) * this.n_sweeps + Math.max(0, t - 1);
  }
  /**
   * The inverse temperature of sweep t.
   * @param {number} chain
   * @param {number} t
   */
  betaOf(chain, t) {
    return this.a.beta[this.scheduled(chain, t)];
  }
  /**
   * The weights that made sweep t of a chain, in single precision.
   * @param {number} chain
   * @param {number} t
   */
  weightsOf(chain, t) {
    const number = this.a.machine[this.scheduled(chain, t)];
    let weights = this.weights.get(number);
    if (!weights) {
      weights = this.unpackWeights(number);
      this.weights.set(number, weights);
    }
    return weights;
  }
  /**
   * @param {number} number
   * @returns {Weights}
   */
  unpackWeights(number) {
    const { n_visible: V, n_hidden: H, a } = this;
    const own = a.W.subarray(number * V * H, (number + 1) * V * H);
    const W = own instanceof Float32Array ? own : halfToFloat(own);
    const WT = new Float32Array(V * H);
    for (let i = 0; i < V; i++) for (let j = 0; j < H; j++) WT[j * V + i] = W[i * H + j];
    const row = (/** @type {Float32Array} */ x, /** @type {number} */ n) =>
      x.subarray(number * n, (number + 1) * n);
    return {
      W,
      WT,
      vbias: row(a.vbias, V),
      hbias: row(a.hbias, H),
      gain: a.h_gain ? row(a.h_gain, V) : null,
      U: a.label_W ? row(a.label_W, this.labels.length * H) : null,
    };
  }

  // States

  /**
   * v after t sweeps, (V); t = 0 is the start.
   * @param {number} t
   * @param {number} chain
   */
  v(t, chain) {
    const { v_bits, v_half, v_start } = this.a;
    if (t === 0 && v_start) return this.fromHalves(v_start, chain, this.n_visible);
    return this.state(v_bits, v_half, t * this.n_chains + chain, this.n_visible);
  }
  /**
   * h of sweep t ≥ 1, (H).
   * @param {number} t
   * @param {number} chain
   */
  h(t, chain) {
    return this.state(this.a.h_bits, this.a.h_half, (t - 1) * this.n_chains + chain, this.n_hidden);
  }
  /**
   * The label units after t sweeps, (L); null where labels are held, or the model has none.
   * @param {number} t
   * @param {number} chain
   */
  y(t, chain) {
    const { y_half } = this.a;
    return y_half ? this.fromHalves(y_half, t * this.n_chains + chain, this.labels.length) : null;
  }
  /**
   * What the label drawn in sweep t stands for, or the likeliest one where no coin is tossed; null without labels.
   * @param {number} t
   * @param {number} chain
   */
  labelOf(t, chain) {
    const y = this.y(t, chain);
    return y && this.labels[y.indexOf(Math.max(...y))];
  }
  /**
   * Row number `row` of n units, from bits or from halves.
   * @param {Uint8Array | undefined} bits
   * @param {Uint16Array | undefined} halves
   * @param {number} row
   * @param {number} n
   */
  state(bits, halves, row, n) {
    if (halves) return this.fromHalves(halves, row, n);
    const out = new Float32Array(n);
    const from = row * ((n + 7) >> 3);
    if (bits) for (let i = 0; i < n; i++) out[i] = bitOf(bits, i, from);
    return out;
  }
  /**
   * @param {Uint16Array} halves
   * @param {number} row
   * @param {number} n
   */
  fromHalves(halves, row, n) {
    return halfToFloat(halves.subarray(row * n, (row + 1) * n));
  }
  /** @param {number} i whether a pixel never changes */
  isHeld(i) {
    return this.a.held !== undefined && bitOf(this.a.held, i) === 1;
  }

  // The conditionals that states were drawn from

  /**
   * p(h|v) that h of sweep t was drawn from, (H); given the label too where labels are drawn.
   * @param {number} t
   * @param {number} chain
   */
  meanH(t, chain) {
    return this.remember((t * this.n_chains + chain) * 2 + 1, () => {
      const { W, hbias, gain, U } = this.weightsOf(chain, t);
      const v = this.v(t - 1, chain);
      const y = this.y(t - 1, chain);
      const bias = U && y ? linear(y, U, hbias) : hbias;
      const logits = linear(gain ? v.map((x, i) => x * gain[i]) : v, W, bias);
      return this.probabilities(logits, hbias, this.betaOf(chain, t));
    });
  }
  /**
   * p(v|h) that v after sweep t was drawn from, (V); the mean where pixels are real numbers. The start was drawn from nothing,
   * so it stands for itself, as held pixels do.
   * @param {number} t
   * @param {number} chain
   */
  meanV(t, chain) {
    if (t === 0) return this.v(0, chain);
    return this.remember((t * this.n_chains + chain) * 2, () => {
      const { WT, vbias } = this.weightsOf(chain, t);
      const logits = linear(this.h(t, chain), WT, vbias);
      const beta = this.betaOf(chain, t);
      const mean = logits.map((y) => MEANS[this.visible](y, beta));
      if (!this.a.held) return mean;
      const start = this.v(0, chain);
      return mean.map((p, i) => (this.isHeld(i) ? start[i] : p));
    });
  }
  /**
   * σ(βx); of ordered units times p(z ≥ j | v), as in rbm_core/ordered.py.
   * @param {Float32Array} logits
   * @param {Float32Array} hbias
   * @param {number} beta
   */
  probabilities(logits, hbias, beta) {
    const p = logits.map((x) => sigmoid(beta * x));
    if (this.penalty === null) return p;
    const reached = takingPart(logits, hbias, this.penalty, beta);
    return p.map((x, j) => x * reached[j]);
  }
  /**
   * @param {number} key
   * @param {() => Float32Array} work
   */
  remember(key, work) {
    let value = this.memory.get(key);
    if (!value) {
      if (this.memory.size > REMEMBERED) this.memory.clear();
      value = work();
      this.memory.set(key, value);
    }
    return value;
  }

  // What a frame shows

  /**
   * What one layer shows at a frame, or null where it has not been drawn yet.
   * @param {Layer} layer
   * @param {number} frame
   * @param {number} chain
   */
  show(layer, frame, chain) {
    const tv = frame >> 1;
    const th = (frame + 1) >> 1;
    if (layer === "v") return this.picture(this.v(tv, chain));
    if (layer === "pv") return this.picture(this.meanV(tv, chain));
    if (th === 0) return null;
    return layer === "h" ? this.h(th, chain) : this.meanH(th, chain);
  }
  /**
   * Grey values, 0 to 1, from the values of Gaussian units, which stand for standardised pixels.
   * @param {Float32Array} v
   */
  picture(v) {
    const { pixel_mean: mean, pixel_std: std } = this.a;
    return mean && std ? v.map((x, i) => mean[i] + std[i] * x) : v;
  }
  /**
   * What a layer is called. Real-valued pixels have a mean where pixels of 0 and 1 have a probability.
   * @param {Layer} layer
   */
  called(layer) {
    return { pv: this.real ? "E(v|h)" : "p(v|h)", v: "v", ph: "p(h|v)", h: "h" }[layer];
  }
  /**
   * The table, where this layer's units are its columns.
   * @param {Layer} layer
   */
  tableOf(layer) {
    return layer.endsWith("v") ? this.table : null;
  }
  /**
   * Rows and columns in which a layer's units are laid out.
   * @param {Layer} layer
   */
  shape(layer) {
    if (layer === "v" || layer === "pv") return this.image_shape;
    const columns = Math.ceil(Math.sqrt(this.n_hidden));
    return [Math.ceil(this.n_hidden / columns), columns];
  }

  // What was measured

  /**
   * The curve of a name: (sweeps shown, B), a row after every `every`-th sweep; null where it is not known (yet).
   * @param {CurveName} name
   */
  curve(name) {
    const data = { energy: this.a.free_energy, distance: this.a.distance, nearest: this.a.near_distance }[
      name
    ];
    return data ? { data, every: name === "nearest" ? (this.nearest?.every ?? 1) : 1 } : null;
  }
  /**
   * The value of a curve after t sweeps, or at the last sweep before for which it is known.
   * @param {CurveName} name
   * @param {number} t
   * @param {number} chain
   */
  value(name, t, chain) {
    const curve = this.curve(name);
    return curve ? curve.data[Math.floor(t / curve.every) * this.n_chains + chain] : Number.NaN;
  }
  /**
   * The training image nearest to a chain after t sweeps: its number, its label (255: none), its bits as a function of
   * the pixel, and the sweep for which it was looked for.
   * @param {number} t
   * @param {number} chain
   */
  nearestTo(t, chain) {
    const every = this.nearest?.every ?? 1;
    const { near_number, near_numbers, near_labels, near_bits } = this.a;
    const number = near_number[Math.floor(t / every) * this.n_chains + chain];
    let low = 0;
    let high = near_numbers.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (near_numbers[middle] < number) low = middle + 1;
      else high = middle;
    }
    const from = low * near_bits.shape[1];
    const on = (/** @type {number} */ i) => bitOf(near_bits, i, from) === 1;
    return { number, label: near_labels[low], sweep: t - (t % every), on };
  }
}

/**
 * p(z ≥ j | v) of ordered hidden units, (H): z units take part with a weight exp S_z, those above H with that of a series.
 * @param {Float32Array} logits
 * @param {Float32Array} hbias
 * @param {number} penalty
 * @param {number} beta
 */
export function takingPart(logits, hbias, penalty, beta) {
  let S = 0;
  const logWeights = Array.from(
    logits,
    (x, j) => (S += softplus(beta * x) - penalty * softplus(beta * hbias[j])),
  );
  logWeights.push(S - Math.log(Math.expm1((penalty - 1) * Math.LN2)));
  const top = Math.max(...logWeights);
  const reached = new Float32Array(logits.length);
  let sum = Math.exp(logWeights[logits.length] - top);
  for (let j = logits.length - 1; j >= 0; j--) {
    sum += Math.exp(logWeights[j] - top);
    reached[j] = sum;
  }
  return reached.map((x) => x / sum);
}

/** @param {number} x log(1 + eˣ) */
function softplus(x) {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/**
 * bias + source · weights, (n).
 * @param {Float32Array} source (m)
 * @param {Float32Array} weights (m, n)
 * @param {Float32Array} bias (n)
 */
function linear(source, weights, bias) {
  const n = bias.length;
  const out = new Float32Array(bias);
  for (const [i, s] of source.entries()) {
    if (s === 0) continue;
    const at = i * n;
    if (s === 1) for (let j = 0; j < n; j++) out[j] += weights[at + j];
    else for (let j = 0; j < n; j++) out[j] += s * weights[at + j];
  }
  return out;
}
