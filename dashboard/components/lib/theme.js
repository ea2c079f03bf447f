// The colours of the reader's theme.

import { context, newCanvas } from "./canvas.js";
import { hexRgb } from "./colour.js";
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
