// The colours of the player.

import { context } from "../lib/canvas.js";
import { colourTable } from "../lib/colour.js";
import { findCanvas } from "../lib/dom.js";
import { PALETTE } from "../lib/palette.js";
import { diverging, rgbOf } from "../lib/theme.js";

// Vermillion is missing: it is the layer just drawn.
const GROUPS = ["blue", "purple", "green", "yellow", "orange", "grey"];

/** @typedef {ReturnType<typeof lookOf>} Look */

/**
 * Colours as [r, g, b], and tables of 256 pixels.
 * @param {HTMLElement} box
 * @param {import("../lib/theme.js").Inks} ink
 * @param {boolean} dark
 */
export function lookOf(box, ink, dark) {
  const style = getComputedStyle(box);
  return {
    text: rgbOf(ink.text),
    paper: rgbOf(ink.paper),
    /** What was drawn in the half step shown. */
    now: rgbOf(style.getPropertyValue("--now")),
    /** The chosen chain. */
    mine: rgbOf(style.getPropertyValue("--layer")),
    groups: GROUPS.map((name) => rgbOf(ink.lines[name])),
    pixels: colourTable(PALETTE.grey),
    hidden: colourTable(PALETTE.hidden),
    weights: colourTable(diverging(dark)),
    font: style.fontFamily,
  };
}

/**
 * The table of a layer.
 * @param {Look} look
 * @param {import("./trajectory.js").Layer} layer
 */
export const tableOf = (look, layer) => (layer.endsWith("v") ? look.pixels : look.hidden);

/**
 * The bars that say which shade is 0 and which is 1.
 * @param {HTMLElement} box
 * @param {Look} look
 */
export function paintRamps(box, look) {
  for (const [layer, table] of /** @type {[string, Uint32Array][]} */ ([
    ["v", look.pixels],
    ["h", look.hidden],
  ])) {
    const image = new ImageData(64, 1);
    new Uint32Array(image.data.buffer).set(
      Array.from({ length: 64 }, (_, i) => table[Math.round((i * 255) / 63)]),
    );
    context(findCanvas(box, `.ramp.${layer}`)).putImageData(image, 0, 0);
  }
}

/** Small canvases with one pixel a unit, kept from frame to frame. */
export class Boards {
  constructor() {
    /** @type {Map<string, { canvas: HTMLCanvasElement, image: ImageData, pixels: Uint32Array }>} */
    this.boards = new Map();
  }
  /**
   * The board of a name at a size, its pixels as they were left.
   * @param {string} name
   * @param {number} width
   * @param {number} height
   */
  get(name, width, height) {
    const known = this.boards.get(name);
    if (known && known.image.width === width && known.image.height === height) return known;
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const image = new ImageData(width, height);
    const board = { canvas, image, pixels: new Uint32Array(image.data.buffer) };
    this.boards.set(name, board);
    return board;
  }
  /**
   * The canvas of a name with the board's pixels on it.
   * @param {string} name
   */
  shown(name) {
    const board = this.boards.get(name);
    if (!board) throw new Error(`no board ${name}`);
    context(board.canvas).putImageData(board.image, 0, 0);
    return board.canvas;
  }
}
