// Every picture of a few pixels on a plane. A picture of V pixels is the number whose first pixel is the highest bit.

/** A plane of all pictures of V pixels: Gray codes of the first and of the last pixels, so that neighbours differ by one. */
export class Plane {
  /** @param {number} V */
  constructor(V) {
    this.low = Math.ceil(V / 2);
    this.rows = 1 << Math.floor(V / 2);
    this.columns = 1 << this.low;
    /** The picture at each place, row by row. */
    this.states = Uint16Array.from({ length: 1 << V }, (_, k) =>
      this.stateAt(Math.floor(k / this.columns), k % this.columns),
    );
  }
  /**
   * Row and column of a picture.
   * @param {number} state
   */
  placeOf(state) {
    return [ungray(state >> this.low), ungray(state & (this.columns - 1))];
  }
  /**
   * @param {number} row
   * @param {number} column
   */
  stateAt(row, column) {
    return (gray(row) << this.low) | gray(column);
  }
}

/** @param {number} k */
const gray = (k) => k ^ (k >> 1);

/** @param {number} code */
function ungray(code) {
  let k = code;
  for (let s = 1; s < 16; s <<= 1) k ^= k >> s;
  return k;
}
