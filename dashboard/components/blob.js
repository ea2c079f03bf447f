// The other half of blob.py: {header, arrays}; each array is a typed array with a .shape.
const BLOB_TYPES = {
  uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, int16: Int16Array,
  uint32: Uint32Array, int32: Int32Array, float32: Float32Array, float64: Float64Array,
};
function unpack(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  // The blob may lie anywhere inside a larger message; typed arrays need an aligned start.
  const payload = bytes.slice(4 + length).buffer;
  const arrays = {};
  for (const { name, dtype, shape, offset } of header.arrays) {
    const count = shape.reduce((a, b) => a * b, 1);
    const array = new BLOB_TYPES[dtype](payload, offset, count);
    array.shape = shape;
    arrays[name] = array;
  }
  return { header, arrays };
}
