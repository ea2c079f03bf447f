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
// Light or dark, from the page's own background: Streamlit sets --st-* variables, not a media query.
function isDark(element) {
  const host = element.host || element;
  const text = getComputedStyle(host).getPropertyValue("--st-background-color").trim();
  const probe = document.createElement("canvas").getContext("2d");
  probe.fillStyle = text || "#ffffff";
  const hex = probe.fillStyle;
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b < 128;
}
// Uint32 colours (ABGR, as a canvas holds them) of 256 steps along the stops.
function colourTable(stops) {
  const rgb = stops.map((s) => [1, 3, 5].map((i) => parseInt(s.slice(i, i + 2), 16)));
  const table = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (rgb.length - 1);
    const k = Math.min(Math.floor(at), rgb.length - 2);
    const [r, g, b] = rgb[k].map((c, j) => Math.round(c + (rgb[k + 1][j] - c) * (at - k)));
    table[i] = (255 << 24) | (b << 16) | (g << 8) | r;
  }
  return table;
}
