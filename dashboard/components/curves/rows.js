// The recorded rows of a run, which arrive a few at a time, and the curves made from them.

/** Rows of numbers with named columns; NaN stands for what was not recorded. */
export class Rows {
  /** @param {string[]} columns */
  constructor(columns) {
    this.n = 0;
    this.columns = columns;
    /** @type {Record<string, number>} */
    this.place = Object.fromEntries(columns.map((name, i) => [name, i]));
    this.data = new Float64Array(0);
  }
  /**
   * Writes rows from number `from` on, which must be at most the number of rows known.
   * @param {number} from
   * @param {Float64Array & { shape: number[] }} added (n, columns)
   */
  put(from, added) {
    const width = this.columns.length;
    const n = from + added.shape[0];
    if (n * width > this.data.length) {
      const grown = new Float64Array(Math.max(2 * this.data.length, n * width, 256 * width));
      grown.set(this.data.subarray(0, this.n * width));
      this.data = grown;
    }
    this.data.set(added, from * width);
    this.n = Math.max(this.n, n);
  }
  /**
   * @param {string} column NaN where there is no such column
   * @param {number} row
   */
  at(column, row) {
    const c = this.place[column];
    return c === undefined ? Number.NaN : this.data[row * this.columns.length + c];
  }
  /**
   * The last row whose column is not above a value, or the first; −1 without rows. The column must never fall.
   * @param {string} column
   * @param {number} value
   */
  rowOf(column, value) {
    let low = 0;
    let high = this.n - 1;
    if (high < 0) return -1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.at(column, middle) <= value) low = middle;
      else high = middle - 1;
    }
    return low;
  }
  /**
   * The seconds of training at a step, on the straight line between the rows around it; NaN without rows.
   * @param {number} step
   */
  secondsAt(step) {
    const row = this.rowOf("step", step);
    if (row < 0) return Number.NaN;
    const [step0, seconds0] = [this.at("step", row), this.at("seconds", row)];
    if (row + 1 >= this.n || step <= step0) return seconds0;
    const part = (step - step0) / (this.at("step", row + 1) - step0);
    return seconds0 + part * (this.at("seconds", row + 1) - seconds0);
  }
  /** @param {string} column */
  column(column) {
    return Float64Array.from({ length: this.n }, (_, i) => this.at(column, i));
  }
}

/**
 * Exponential running average, corrected for its start, as TensorBoard draws it; rows without a value are passed over.
 * @param {Float64Array} raw
 * @param {number} weight of what came before, 0 to 1
 */
export function soften(raw, weight) {
  let mean = 0;
  let norm = 0;
  return raw.map((x) => {
    if (!Number.isFinite(x)) return Number.NaN;
    mean = weight * mean + (1 - weight) * x;
    norm = weight * norm + (1 - weight);
    return mean / norm;
  });
}

/**
 * Estimates made now and then on the page Evaluate: (m, 5) step, training, validation and test nats, standard error.
 * @typedef {Float64Array & { shape: number[] }} Estimates
 */

/**
 * Those of one line: [step, nats, standard error (0: unknown)].
 * @param {import("./groups.js").Line} line
 * @param {Estimates | undefined} estimates
 * @returns {[number, number, number][]}
 */
export function pointsOf(line, estimates) {
  if (!line.estimate || !estimates) return [];
  const [m, k] = estimates.shape;
  /** @type {[number, number, number][]} */
  const out = [];
  for (let i = 0; i < m; i++) {
    const [step, y, error] = [0, line.estimate, k - 1].map((j) => estimates[i * k + j]);
    if (Number.isFinite(y)) out.push([step, y, Number.isFinite(error) ? error : 0]);
  }
  return out;
}
