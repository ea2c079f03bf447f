// Colours as numbers, and tables of 256 shades.

/** @param {string} hex #rrggbb */
export function hexRgb(hex) {
  return [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16));
}

/**
 * @param {number[]} rgb
 * @param {number} [alpha]
 */
export const css = (rgb, alpha = 1) => `rgb(${rgb.join(" ")} / ${alpha})`;

/**
 * A pixel as a canvas holds it: ABGR in 32 bits.
 * @param {number[]} rgb
 */
export const abgr = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;

/**
 * The CSS colour of such a pixel.
 * @param {number} pixel
 */
export const cssOf = (pixel) => `rgb(${pixel & 255} ${(pixel >> 8) & 255} ${(pixel >> 16) & 255})`;

/**
 * 256 pixels along evenly spaced stops, joined by straight lines in RGB.
 * @param {string[]} stops
 */
export function colourTable(stops) {
  const rgb = stops.map(hexRgb);
  const table = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (rgb.length - 1);
    const k = Math.min(Math.floor(at), rgb.length - 2);
    table[i] = abgr(rgb[k].map((c, j) => Math.round(c + (rgb[k + 1][j] - c) * (at - k))));
  }
  return table;
}
