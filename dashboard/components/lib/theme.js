// Colours: those of the reader's theme, and tables of 256 shades.

import { context, newCanvas } from "./canvas.js";
import { PALETTE } from "./palette.js";

/** @typedef {ReturnType<typeof inks>} Inks */

/**
 * @param {HTMLElement | ShadowRoot} element
 * @param {string} name
 * @param {string} fallback
 */
function cssColour(element, name, fallback) {
  const host = element instanceof ShadowRoot ? element.host : element;
  return getComputedStyle(host).getPropertyValue(name).trim() || fallback;
}

/**
 * [r, g, b] of any opaque CSS colour, 0 to 255.
 * @param {string} colour
 */
export function rgbOf(colour) {
  const ctx = context(newCanvas());
  ctx.fillStyle = colour.trim();
  return hexRgb(/** @type {string} */ (ctx.fillStyle));
}

/** @param {string} hex #rrggbb */
function hexRgb(hex) {
  return [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16));
}

/**
 * @param {number[]} rgb
 * @param {number} [alpha]
 */
export const css = (rgb, alpha = 1) => `rgb(${rgb.join(" ")} / ${alpha})`;

/** @param {HTMLElement | ShadowRoot} element */
export function isDark(element) {
  const [r, g, b] = rgbOf(cssColour(element, "--st-background-color", "#ffffff"));
  return 0.299 * r + 0.587 * g + 0.114 * b < 128;
}

/**
 * The theme's colours and font, and the palette's colours for lines on its paper.
 * @param {HTMLElement | ShadowRoot} element
 */
export function inks(element) {
  return {
    text: cssColour(element, "--st-text-color", "#222222"),
    font: cssColour(element, "--st-font", "sans-serif"),
    paper: cssColour(element, "--st-background-color", "#ffffff"),
    panel: cssColour(element, "--st-secondary-background-color", "#f2f2f2"),
    line: cssColour(element, "--st-border-color", "#cccccc"),
    accent: cssColour(element, "--st-primary-color", "#0072B2"),
    lines: PALETTE[isDark(element) ? "dark" : "light"].lines,
  };
}

/**
 * The stops of the scale that diverges about zero.
 * @param {boolean} dark
 */
export const diverging = (dark) => PALETTE[dark ? "dark" : "light"].diverging;

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
