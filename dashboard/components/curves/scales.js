// From values to places on the canvas and back.

import { ticks } from "../lib/numbers.js";

/** @typedef {{ to: (value: number) => number, ticks: number[] }} Scale */
/** @typedef {Scale & { from: (place: number) => number }} ScaleX */

/**
 * Across. A logarithmic scale keeps a step 0 by counting from one unit below the first row after it.
 * @param {[number, number]} span of the values
 * @param {[number, number]} room places of its ends
 * @param {number | null} unit of the logarithmic scale; null: a linear one
 * @returns {ScaleX}
 */
export function scaleX([low, high], [left, right], unit) {
  if (unit === null) {
    return {
      to: (x) => left + ((x - low) / (high - low)) * (right - left),
      from: (p) => low + ((p - left) / (right - left)) * (high - low),
      ticks: ticks(low, high, (right - left) / 90),
    };
  }
  const f = (/** @type {number} */ x) => Math.log10(Math.max(x, 0) + unit);
  const a = f(low);
  const b = f(high);
  const marks = [];
  for (let e = Math.floor(Math.log10(unit)); e <= Math.log10(high) + 1; e++) {
    for (const mark of b - a > 3.5 ? [10 ** e] : [10 ** e, 3 * 10 ** e]) {
      if (mark >= Math.max(low, unit * 0.99) && mark <= high) marks.push(mark);
    }
  }
  return {
    to: (x) => left + ((f(x) - a) / (b - a)) * (right - left),
    from: (p) => 10 ** (a + ((p - left) / (right - left)) * (b - a)) - unit,
    ticks: marks,
  };
}

/**
 * The values that a scale must show; null where there is none.
 * @param {number[]} all
 * @param {number[]} newest the newest value of each line
 * @param {{ log?: boolean, zero?: boolean }} kind
 * @returns {[number, number] | null}
 */
export function rangeOf(all, newest, { log = false, zero = false }) {
  if (!all.length) return null;
  const sorted = Float64Array.from(all).sort();
  const q = (/** @type {number} */ p) => sorted[Math.round(p * (sorted.length - 1))];
  // The first steps can be far off everything that follows: then the frame is the bulk, and lines leave it.
  if (!log && !zero && all.length > 40 && q(1) - q(0) > 6 * (q(0.97) - q(0.03))) {
    return [Math.min(q(0.03), ...newest), Math.max(q(0.97), ...newest)];
  }
  return [q(0), q(1)];
}

/**
 * Upwards, with a margin of 6 % at each end that is not a zero asked for.
 * @param {[number, number]} range
 * @param {[number, number]} room places of top and bottom
 * @param {{ log?: boolean, zero?: boolean }} kind
 * @returns {Scale}
 */
export function scaleY(range, [top, bottom], { log = false, zero = false }) {
  let [low, high] = log ? range.map(Math.log10) : range;
  if (zero) [low, high] = [Math.min(0, low), Math.max(0, high)];
  if (high - low < 1e-12) {
    const d = Math.abs(high) * 0.05 || 1;
    [low, high] = [low - d, high + d];
  }
  const pad = 0.06 * (high - low);
  low -= zero && low === 0 ? 0 : pad;
  high += pad;
  const f = log
    ? (/** @type {number} */ y) => (y > 0 ? Math.log10(y) : Number.NaN)
    : (/** @type {number} */ y) => y;
  return {
    to: (y) => bottom - ((f(y) - low) / (high - low)) * (bottom - top),
    ticks: log ? logTicks(low, high) : ticks(low, high, (bottom - top) / 34),
  };
}

/**
 * Powers of ten, or round values where fewer than two lie in the range.
 * @param {number} low a logarithm to base ten
 * @param {number} high
 */
function logTicks(low, high) {
  const powers = ticks(low, high, 4).filter(Number.isInteger);
  return powers.length < 2 ? ticks(10 ** low, 10 ** high, 3) : powers.map((t) => 10 ** t);
}
