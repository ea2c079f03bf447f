// Numbers: as people read them, and the arithmetic that several views share.

/** @param {number} x @param {number} low @param {number} high */
export const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

/** @param {number} x */
export const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/**
 * The lowest and the highest finite number; [Infinity, −Infinity] where there is none.
 * @param {Iterable<number>} values
 * @returns {[number, number]}
 */
export function extent(values) {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const x of values) {
    if (!Number.isFinite(x)) continue;
    if (x < low) low = x;
    if (x > high) high = x;
  }
  return [low, high];
}

/**
 * 12,345 · 0.0123 · 1.2e-5 · with a true minus sign; "–" for what is not a number.
 * @param {number | null | undefined} x
 * @param {number} [digits] significant ones of a number below 10,000
 */
export function pretty(x, digits = 4) {
  if (x === null || x === undefined || Number.isNaN(x)) return "–";
  if (x === 0) return "0";
  const a = Math.abs(x);
  let text;
  if (a < 1e-3 || a >= 1e7) text = x.toExponential(2).replace("e+", "e");
  else if (Number.isInteger(x)) text = x.toLocaleString("en-US");
  else text = a >= 10000 ? Math.round(x).toLocaleString("en-US") : String(Number(x.toPrecision(digits)));
  return text.replaceAll("-", "−");
}

/**
 * A fixed number of decimals, with a true minus sign.
 * @param {number} x
 * @param {number} digits
 */
export const fixed = (x, digits) => x.toFixed(digits).replace("-", "−");

/**
 * A duration: 12 s · 3 min 4 s · 2 h 5 min.
 * @param {number} seconds
 */
export function clock(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

/**
 * Round tick values in [low, high], about `count` of them: multiples of 1, 2, 2.5 or 5 times a power of ten.
 * @param {number} low
 * @param {number} high
 * @param {number} count
 * @param {number[]} [steps] the multiples allowed; the last must be 10
 */
export function ticks(low, high, count, steps = [1, 2, 2.5, 5, 10]) {
  const span = high - low;
  if (!(span > 0)) return [low];
  const raw = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = (steps.find((m) => m * power >= raw * 0.999) ?? 10) * power;
  const out = [];
  // −0 + 0 is 0.
  for (let k = Math.ceil(low / step - 1e-9) + 0; k * step <= high + step * 1e-9; k++) out.push(k * step);
  return out;
}
