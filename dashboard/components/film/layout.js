// Where everything lies: the grid's cells, and sizes that fit a window.

/**
 * The grid of chains, in cells' own pixels: a block a group at `places`, its name in a band above it; in each block
 * `columns` cells of w × h pixels with `gap` pixels between them.
 * @typedef {object} Grid
 * @property {number} columns
 * @property {number} wide of a block
 * @property {number} band
 * @property {{ x: number, y: number }[]} places
 * @property {number} width of everything
 * @property {number} height
 * @property {number} w
 * @property {number} h
 * @property {number} gap
 */

/**
 * Lays the chains out so that cells come out large in the room, blocks nearly square, and few places
 * stay empty.
 * @param {{ h: number, w: number }} cell pixels of a picture
 * @param {{ per: number, groups: number }} count chains a group, and groups
 * @param {{ wide: number, high: number }} room css pixels
 * @param {number} label css pixels above a block, for its name
 * @returns {Grid}
 */
export function gridOf({ h, w }, { per, groups }, room, label) {
  const gap = Math.max(1, Math.round(w / 14));
  const apart = groups > 1 ? 4 * gap : 0;
  let best = null;
  for (let across = 1; across <= groups; across++) {
    for (let columns = 1; columns <= per; columns++) {
      const down = Math.ceil(groups / across);
      const rows = Math.ceil(per / columns);
      const wide = columns * (w + gap) - gap;
      const high = rows * (h + gap) - gap;
      const width = across * (wide + apart) - apart;
      const height = down * high + (down - 1) * apart;
      const scale = Math.min(room.wide / width, (room.high - down * label) / height);
      const empty = 1 - (per * groups) / (rows * columns * down * across);
      const square = Math.min(wide, high) / Math.max(wide, high);
      const worth = scale * (1 - 1.5 * empty) * square ** 0.25;
      if (!best || worth > best.worth)
        best = { worth, scale, columns, across, down, wide, high, width, height };
    }
  }
  if (!best) throw new Error(`a grid of ${per} chains in ${groups} groups`);
  const { across, down, wide, high, width, height, columns, scale } = best;
  const band = label ? Math.ceil(label / scale) : 0;
  const places = Array.from({ length: groups }, (_, g) => ({
    x: (g % across) * (wide + apart),
    y: Math.floor(g / across) * (high + apart + band),
  }));
  return { columns, wide, band, places, width, height: height + down * band, w, h, gap };
}

/**
 * The top left corner of a chain's cell.
 * @param {Grid} grid
 * @param {number} per chains a group
 * @param {number} chain
 * @returns {[number, number]}
 */
export function cornerOf(grid, per, chain) {
  const i = chain % per;
  const { x, y } = grid.places[Math.floor(chain / per)];
  const row = Math.floor(i / grid.columns);
  return [x + (i % grid.columns) * (grid.w + grid.gap), y + grid.band + row * (grid.h + grid.gap)];
}

/** The arrows between the panels, and the room around the whole, in rem. */
const ACROSS = 5.4;
const BETWEEN = 2.6 + 3.2;
const AROUND = 3;
const SMALLEST = 84; // css pixels a panel

/**
 * css pixels a side of the four panels of one chain.
 * @param {object} window_
 * @param {number} window_.width of the player
 * @param {number} window_.tall css pixels that the pictures may take
 * @param {number} window_.rem
 * @param {boolean} window_.beside the grid stands beside the panels
 */
export function panelSide({ width, tall, rem, beside }) {
  const high = (tall - BETWEEN * rem) / 2;
  const wide = beside ? (width - (ACROSS + AROUND + BETWEEN) * rem) / 4 : (width - ACROSS * rem - 8) / 2;
  return Math.max(Math.min(high, wide), SMALLEST);
}

/**
 * css pixels that the grid may take: as high as the panels beside it, else as high as the pictures may be.
 * @param {{ width: number, tall: number, rem: number, beside: boolean }} window_ as for panelSide
 * @param {number} side of a panel
 */
export function gridRoom({ width, tall, rem, beside }, side) {
  if (!beside) return { high: Math.min(width, tall), wide: width };
  const room = width - 2 * side - (ACROSS + AROUND) * rem;
  const high = Math.min(2 * side + (BETWEEN - 0.6) * rem, room);
  return { high, wide: high };
}
