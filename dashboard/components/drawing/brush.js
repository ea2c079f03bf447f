// The brush of the pad: which pixels a stroke marks, and how far.

/**
 * Where the pointer is in an element, as fractions of its width and height.
 * @param {MouseEvent} e
 * @param {Element} element
 */
export function fractionOf(e, element) {
  const r = element.getBoundingClientRect();
  return [(e.clientX - r.left) / r.width, (e.clientY - r.top) / r.height];
}

/**
 * Calls `mark(pixel, ink)` for the pixels of a w × h pad that a stroke from one point to another touches. Ink is 1
 * inside the radius; over the last `soft` pixels of the radius it falls to 0 in a straight line.
 * @param {[number, number]} from
 * @param {[number, number]} to
 * @param {{ radius: number, soft: number }} brush in pixels
 * @param {number} w
 * @param {number} h
 * @param {(pixel: number, ink: number) => void} mark
 */
export function eachMark([x0, y0], [x1, y1], brush, w, h, mark) {
  const n = Math.ceil(Math.hypot(x1 - x0, y1 - y0) * 2) + 1;
  for (let k = 1; k <= n; k++) dab(x0 + ((x1 - x0) * k) / n, y0 + ((y1 - y0) * k) / n, brush, w, h, mark);
}

/**
 * @param {number} x
 * @param {number} y
 * @param {{ radius: number, soft: number }} brush
 * @param {number} w
 * @param {number} h
 * @param {(pixel: number, ink: number) => void} mark
 */
function dab(x, y, { radius, soft }, w, h, mark) {
  const first = (/** @type {number} */ centre) => Math.max(0, Math.floor(centre - radius - 1));
  for (let j = first(y); j <= Math.min(h - 1, y + radius + 1); j++) {
    for (let i = first(x); i <= Math.min(w - 1, x + radius + 1); i++) {
      const d = Math.hypot(i + 0.5 - x, j + 0.5 - y);
      mark(j * w + i, soft ? Math.min(1, Math.max(0, (radius - d) / soft)) : Number(d <= radius));
    }
  }
}

/**
 * One bit a pixel, set where its mark is above one half; the highest bit of a byte first, as numpy.unpackbits reads it.
 * @param {Float32Array} marks
 */
export function packedBits(marks) {
  const bits = new Uint8Array((marks.length + 7) >> 3);
  for (const [i, x] of marks.entries()) if (x > 0.5) bits[i >> 3] |= 128 >> (i & 7);
  return bits;
}
