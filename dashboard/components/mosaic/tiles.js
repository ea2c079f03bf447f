// Tiles: how they are laid out, and which colour each of their bytes has.

export const GAP = 2; // css pixels between tiles, in the colour of lines: tiles of the page's own white stay apart
const HIGHEST = 520; // css pixels that filters may take
const WIDEST = 560; // css pixels that particles may take
const LARGEST = 96; // css pixels a tile
const SMALLEST = 0.3; // device pixels a tile's pixel, where all tiles are to stay in sight

/**
 * In css pixels: size and high of a tile, gap between columns of tiles, top free above them.
 * @typedef {{ columns: number, rows: number, size: number, high: number, gap: number, top: number }} Grid
 */

/**
 * Filters fill the width, as large as a calm height allows and never below their own pixels: a tile's pixel is a whole
 * number of device pixels down to 3, then a multiple of a quarter. A tall window makes them no higher than wide.
 * @param {number} n tiles
 * @param {[number, number]} shape rows and columns of a tile
 * @param {number} width css pixels
 * @param {number} ratio device pixels a css pixel
 * @param {number} [sight] css pixels of height in which they are to be in sight, if below their own pixels
 * @returns {Grid}
 */
export function filterGrid(n, [th, tw], width, ratio, sight) {
  const highest = Math.min(sight ?? HIGHEST, Math.max(width, HIGHEST));
  const smallest = sight === undefined ? 1 : SMALLEST;
  for (let grain = Math.max(1, Math.floor((LARGEST * ratio) / tw)); ; grain -= stride(grain)) {
    const size = (grain * tw) / ratio;
    const fit = Math.max(1, Math.min(n, Math.floor(width / (size + GAP))));
    const rows = Math.ceil(n / fit);
    const high = (size * th) / tw;
    // As many to a row as fill the rows evenly: 100 tiles stand 10 by 10 where 11 would fit, and none is left over.
    const columns = Math.ceil(n / rows);
    if (grain <= smallest || rows * (high + GAP) <= highest)
      return { columns, rows, size, high, gap: GAP, top: 0 };
  }
}

/** @param {number} grain */
function stride(grain) {
  if (grain > 3) return 1;
  return grain > 1 ? 0.25 : 0.02;
}

/**
 * Particles make a square.
 * @param {number} n tiles
 * @param {[number, number]} shape rows and columns of a tile
 * @param {number} width css pixels
 * @param {number} ratio device pixels a css pixel
 * @param {number} [sight] css pixels of height in which they are to be in sight
 * @returns {Grid}
 */
export function squareGrid(n, [th, tw], width, ratio, sight) {
  const columns = Math.ceil(Math.sqrt(n));
  const room = Math.min(width, sight ?? WIDEST) / columns - GAP;
  const grain = Math.floor((4 * room * ratio) / tw) / 4;
  const size = grain >= 1 ? Math.min((grain * tw) / ratio, LARGEST) : room;
  return { columns, rows: Math.ceil(n / columns), size, high: (size * th) / tw, gap: GAP, top: 0 };
}

const CELL = { narrow: 9, wide: 44 }; // css pixels of a column of a strip
const STRIP = { low: 3, readable: 9, high: 20 }; // css pixels of height of a strip
const APART = 18; // css pixels between two blocks of strips

/**
 * Rows of a table as strips below the names of their columns, in as few blocks side by side as keep them readable.
 * @param {number} n strips
 * @param {number} tw columns of the table
 * @param {number} width css pixels
 * @param {number} top css pixels of the names
 * @param {number} [sight] css pixels of height in which they are to be in sight
 * @returns {Grid}
 */
export function stripGrid(n, tw, width, top, sight) {
  const room = Math.max(sight ?? HIGHEST, top + 60) - top;
  const most = Math.max(1, Math.min(n, Math.floor((width + APART) / (tw * CELL.narrow + APART))));
  let columns = 1;
  const highIn = () => room / Math.ceil(n / columns) - GAP;
  while (columns < most && highIn() < STRIP.readable) columns++;
  const size = Math.min((width + APART) / columns - APART, tw * CELL.wide);
  const high = Math.min(STRIP.high, Math.max(STRIP.low, Math.floor(highIn())));
  return { columns, rows: Math.ceil(n / columns), size, high, gap: APART, top };
}

/**
 * The pixel of each byte of signed tiles, where the byte 127 stands for `range` and the scale ends at ± `end`.
 * @param {Uint32Array} colours 256 pixels from −end to end
 * @param {number} range
 * @param {number} end
 */
export function signedTable(colours, range, end) {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    const value = ((byte < 128 ? byte : byte - 256) / 127) * range;
    const shade = Math.round(127.5 + (127.5 * value) / end);
    return colours[Math.min(255, Math.max(0, shade))];
  });
}

/**
 * All tiles at their own pixels on one sheet, each with a free pixel to its right and below.
 * @param {Int8Array | Uint8Array} tiles (n, th · tw)
 * @param {number[]} order the tile at each place
 * @param {[number, number]} shape rows and columns of a tile
 * @param {Grid} grid
 * @param {Uint32Array} table the pixel of each byte
 */
export function sheet(tiles, order, [th, tw], { columns, rows }, table) {
  const width = columns * (tw + 1);
  const height = rows * (th + 1);
  const pixels = new Uint32Array(width * height);
  for (const [place, tile] of order.entries()) {
    const corner = Math.floor(place / columns) * (th + 1) * width + (place % columns) * (tw + 1);
    let source = tile * th * tw;
    for (let y = 0; y < th; y++) {
      const start = corner + y * width;
      for (let x = 0; x < tw; x++) pixels[start + x] = table[tiles[source++] & 255];
    }
  }
  return { pixels, width, height };
}
