// The other half of blob.py: one blob of bytes becomes a header and typed arrays.

const TYPES = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
};

/** @typedef {InstanceType<typeof TYPES[keyof typeof TYPES]> & { shape: number[] }} NumberArray with its shape, last axis fastest */
/** @typedef {{ header: any, arrays: any }} Payload each component states its own header and arrays */

/**
 * {header, arrays} of the bytes that `pack` in blob.py wrote. Each array is a typed array with a `shape`.
 * @param {Uint8Array} bytes
 * @returns {Payload}
 */
export function unpack(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  // The blob may lie anywhere inside a larger message; typed arrays need an aligned start.
  const payload = bytes.slice(4 + length).buffer;
  /** @type {Record<string, NumberArray>} */
  const arrays = {};
  for (const entry of header.arrays) {
    const count = entry.shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1);
    const Kind = TYPES[/** @type {keyof typeof TYPES} */ (entry.dtype)];
    arrays[entry.name] = Object.assign(new Kind(payload, entry.offset, count), { shape: entry.shape });
  }
  return { header, arrays };
}

/**
 * Half-precision floats, given as their 16 bits, as single ones; every half is exact in single precision.
 * @param {Uint16Array} halves
 */
export function halfToFloat(halves) {
  const out = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) {
    const bits = halves[i];
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    let size = (1 + fraction / 1024) * 2 ** (exponent - 15);
    if (exponent === 0) size = fraction * 2 ** -24;
    else if (exponent === 31) size = fraction ? Number.NaN : Number.POSITIVE_INFINITY;
    out[i] = bits & 32768 ? -size : size;
  }
  return out;
}

/**
 * Bit i of a row of bits, the highest bit of a byte first, as numpy.packbits lays them.
 * @param {Uint8Array} bytes
 * @param {number} i
 * @param {number} [from] the row's first byte
 */
export function bitOf(bytes, i, from = 0) {
  return (bytes[from + (i >> 3)] >> (7 - (i & 7))) & 1;
}
