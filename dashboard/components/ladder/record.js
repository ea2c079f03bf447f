// A ladder's film: what the engine recorded of K rungs over R rounds.
//
// A film of R rounds has 2R + 1 frames. Frame 0 is the start. Frame 2r − 1 is the first half of round r: every machine
// has swept its own picture. Frame 2r is its second half: neighbours have exchanged pictures. What is recorded is the
// state after each round; before the exchange each pair that exchanged held the other's.

import { bitOf } from "../lib/blob.js";

/**
 * K rungs, R rounds; see rbm_core/trajectory/ladder.py.
 * @typedef {object} Arrays
 * @property {Uint8Array} [v_bits] (R + 1, K, ⌈V/8⌉)
 * @property {Uint8Array} [v_grey] (R + 1, K, V)
 * @property {Uint8Array} [plain_bits] (R + 1, ⌈V/8⌉)
 * @property {Uint8Array} [plain_grey] (R + 1, V)
 * @property {Uint8Array} origin (R + 1, K)
 * @property {Uint8Array} proposed (R, K − 1)
 * @property {Uint8Array} accepted (R, K − 1)
 * @property {Float32Array} chance (R, K − 1)
 * @property {Uint16Array} trips (R + 1)
 * @property {Float32Array} [map_points] (N, 2)
 * @property {Uint8Array} [map_labels] (N)
 * @property {Float32Array} [map_path] (R + 1, 2, 2): the last rung, the plain chain
 */
/** @typedef {{ from: number | null, to: number, share: number }} Rung the machines around it; share 0: the first of them itself */

/** A film, asked by frame and rung. */
export class Record {
  n_rounds = 0;
  n_visible = 0;
  /** @type {Rung[]} */
  rungs = [];
  /** @type {[number, number]} */
  image_shape = [0, 0];
  /** @type {string | null} what the map shows */
  map = null;
  /** Where the machines were kept. */
  source = "";
  /** @type {import("../lib/save.js").Source} */
  of = {};
  frame = 0;

  /** @param {{ header: object, arrays: Arrays }} blob */
  constructor({ header, arrays }) {
    Object.assign(this, header);
    this.a = arrays;
    this.K = this.rungs.length;
    this.last = 2 * this.n_rounds;
    const { K } = this;
    /** Of each replica after each round, the rung it stands at: (R + 1, K). */
    this.place = new Uint8Array(arrays.origin.length);
    for (let r = 0; r <= this.n_rounds; r++)
      for (let k = 0; k < K; k++) this.place[r * K + arrays.origin[r * K + k]] = k;
    /** Sums of the exchanges' probabilities over the rounds so far: (R + 1, K − 1). */
    this.sums = new Float64Array((this.n_rounds + 1) * (K - 1));
    for (let i = 0; i < arrays.chance.length; i++) this.sums[i + K - 1] = this.sums[i] + arrays.chance[i];
  }
  /** @param {number} frame */
  roundOf(frame) {
    return (frame + 1) >> 1;
  }
  /**
   * Whether a pair was asked in the exchange that a frame shows, and whether it exchanged.
   * @param {number} frame
   * @param {number} pair
   */
  pairAt(frame, pair) {
    const i = (this.roundOf(frame) - 1) * (this.K - 1) + pair;
    const exchange = frame > 0 && frame % 2 === 0;
    return { asked: exchange && this.a.proposed[i] === 1, took: exchange && this.a.accepted[i] === 1 };
  }
  /**
   * Pairs asked and pairs that exchanged in a frame.
   * @param {number} frame
   */
  counts(frame) {
    let asked = 0;
    let took = 0;
    for (let k = 0; k < this.K - 1; k++) {
      const pair = this.pairAt(frame, k);
      asked += Number(pair.asked);
      took += Number(pair.took);
    }
    return { asked, took };
  }
  /**
   * The mean probability of a pair's exchange over the rounds so far; NaN before the first.
   * @param {number} frame
   * @param {number} pair
   */
  acceptance(frame, pair) {
    const r = frame >> 1;
    return r ? this.sums[r * (this.K - 1) + pair] / r : Number.NaN;
  }
  /**
   * The replica at a rung, by the rung where it began.
   * @param {number} frame
   * @param {number} rung
   */
  replicaAt(frame, rung) {
    return this.a.origin[(frame >> 1) * this.K + rung];
  }
  /**
   * The rung of a replica after a round.
   * @param {number} round
   * @param {number} replica
   */
  rungOf(round, replica) {
    return this.place[round * this.K + replica];
  }
  /**
   * Pixels of a rung's picture, 0 to 255.
   * @param {number} frame
   * @param {number} rung
   */
  picture(frame, rung) {
    const round = this.roundOf(frame);
    let row = rung;
    if (frame % 2) {
      const exchanged = (/** @type {number} */ pair) =>
        this.a.accepted[(round - 1) * (this.K - 1) + pair] === 1;
      if (rung < this.K - 1 && exchanged(rung)) row = rung + 1;
      else if (rung > 0 && exchanged(rung - 1)) row = rung - 1;
    }
    return this.pixels(this.a.v_bits, this.a.v_grey, round * this.K + row);
  }
  /**
   * The plain chain's picture after a round.
   * @param {number} round
   */
  plain(round) {
    return this.pixels(this.a.plain_bits, this.a.plain_grey, round);
  }
  /**
   * @param {Uint8Array | undefined} bits
   * @param {Uint8Array | undefined} grey
   * @param {number} row
   */
  pixels(bits, grey, row) {
    const V = this.n_visible;
    if (grey) return grey.subarray(row * V, (row + 1) * V);
    const from = row * ((V + 7) >> 3);
    const packed = /** @type {Uint8Array} */ (bits);
    return Uint8Array.from({ length: V }, (_, i) => 255 * bitOf(packed, i, from));
  }
}
