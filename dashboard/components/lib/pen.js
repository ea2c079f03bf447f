// What all pictures of Learn are drawn with. Lengths are in units of the reader's text size (textScale): letters, lines
// and cells grow together.

import { sharpen, spotOf } from "./canvas.js";
import { colourTable, cssOf } from "./colour.js";
import { clamp } from "./numbers.js";
import { diverging } from "./theme.js";

/** @type {Record<string, string>} colours of the palette */
const METHODS = { exact: "blue", cd1: "vermillion", cd10: "purple", pcd: "green" };
const OFF = "#1a1d22"; // a pixel that is off
const EDGE = "#8a919b"; // of a picture's cells
const GRIDDED = 8; // units a cell from which on lines part the cells
// From high free energy (rare) to low (likely).
const DEPTH = {
  light: ["#FFFFFF", "#B9D7EC", "#3C8DC5", "#0B3F70"],
  dark: ["#0B0D12", "#155488", "#2E8BD0", "#BFE2FF"],
};
/** @type {Map<string, string[]>} 256 colours by their stops */
const TABLES = new Map();

/** @typedef {{ shape: [number, number], n: number }} Layout of a layer's units in rows and columns */
/**
 * @typedef {object} TextLook
 * @property {CanvasTextAlign} [align]
 * @property {number} [size]
 * @property {number} [alpha]
 * @property {number} [weight]
 * @property {string} [colour]
 */

/** The colours and sizes of one moment, and how to draw with them. */
export class Pen {
  /**
   * @param {import("./theme.js").Inks} ink
   * @param {boolean} dark
   * @param {number} em css pixels a unit
   * @param {CSSStyleDeclaration} style of the page's part, with the colours of data, model and chain
   * @param {Layout} visible
   */
  constructor(ink, dark, em, style, visible) {
    this.ink = ink;
    this.dark = dark;
    this.em = em;
    this.visible = visible;
    this.stops = diverging(dark);
    this.depth = dark ? DEPTH.dark : DEPTH.light;
    const colour = (/** @type {string} */ name) => style.getPropertyValue(`--${name}`).trim();
    this.colour = { data: colour("data"), model: colour("model"), chain: colour("chain") };
  }
  /**
   * The colour of a method.
   * @param {string} method
   */
  line(method) {
    return this.ink.lines[METHODS[method]];
  }
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number} width
   * @param {number} height
   */
  sheet(canvas, width, height) {
    return sharpen(canvas, width, height, this.em);
  }
  /** @param {Element} element */
  wide(element) {
    return Math.floor(element.clientWidth / this.em);
  }
  /**
   * Where in a canvas the pointer is.
   * @param {MouseEvent} e
   * @param {Element} canvas
   */
  spotOf(e, canvas) {
    return spotOf(e, canvas, this.em);
  }
  /**
   * @param {CanvasRenderingContext2D} ctx
   * @param {string} words
   * @param {number} x
   * @param {number} y
   * @param {TextLook} [look]
   */
  text(ctx, words, x, y, { align = "left", size = 12, alpha = 0.75, weight = 400, colour } = {}) {
    ctx.globalAlpha = alpha;
    ctx.fillStyle = colour || this.ink.text;
    ctx.font = `${weight} ${size}px ${this.ink.font}`;
    ctx.textAlign = align;
    ctx.fillText(words, x, y);
    ctx.globalAlpha = 1;
  }
  /**
   * The first of these sentences that fits the room, else the last.
   * @param {CanvasRenderingContext2D} ctx
   * @param {number} room
   * @param {...string} sentences
   */
  fitting(ctx, room, ...sentences) {
    ctx.font = `400 12px ${this.ink.font}`;
    const fits = sentences.find((words) => ctx.measureText(words).width <= room);
    return fits ?? sentences[sentences.length - 1];
  }
  /**
   * The colour at x in [0, 1] along evenly spaced stops.
   * @param {string[]} stops
   * @param {number} x
   */
  mix(stops, x) {
    const key = stops.join();
    let table = TABLES.get(key);
    if (!table) {
      table = Array.from(colourTable(stops), cssOf);
      TABLES.set(key, table);
    }
    return table[Math.round(255 * clamp(x, 0, 1))];
  }
  /**
   * One state as small squares: on is white and off black, as on every page.
   * @param {CanvasRenderingContext2D} ctx
   * @param {number} state
   * @param {number} x
   * @param {number} y
   * @param {number} cell
   * @param {{ layout?: Layout, on?: string }} [look]
   */
  picture(ctx, state, x, y, cell, { layout = this.visible, on = "#fff" } = {}) {
    const { n } = layout;
    const [rows, columns] = layout.shape;
    ctx.fillStyle = OFF;
    ctx.fillRect(x, y, columns * cell, rows * cell);
    ctx.fillStyle = on;
    for (let i = 0; i < n; i++) {
      const lit = (state >> (n - 1 - i)) & 1;
      if (lit) ctx.fillRect(x + (i % columns) * cell, y + Math.floor(i / columns) * cell, cell, cell);
    }
    ctx.strokeStyle = EDGE;
    ctx.lineWidth = 1;
    ctx.strokeRect(x + 0.5, y + 0.5, columns * cell - 1, rows * cell - 1);
    if (cell >= GRIDDED) {
      ctx.globalAlpha = 0.5;
      ctx.beginPath();
      for (let r = 1; r < rows; r++) {
        ctx.moveTo(x, y + r * cell + 0.5);
        ctx.lineTo(x + columns * cell, y + r * cell + 0.5);
      }
      for (let c = 1; c < columns; c++) {
        ctx.moveTo(x + c * cell + 0.5, y);
        ctx.lineTo(x + c * cell + 0.5, y + rows * cell);
      }
      ctx.stroke();
      ctx.globalAlpha = 1;
    }
    // A cell without a unit is no unit that is off: nothing is drawn there.
    const last = n % columns;
    if (last) ctx.clearRect(x + last * cell + 1, y + (rows - 1) * cell + 1, (columns - last) * cell, cell);
  }
  /**
   * A bar of colours between two words.
   * @param {CanvasRenderingContext2D} ctx
   * @param {number} y
   * @param {number} width
   * @param {string[]} stops
   * @param {string} low
   * @param {string} high
   */
  ramp(ctx, y, width, stops, low, high) {
    ctx.font = `11px ${this.ink.font}`;
    const before = ctx.measureText(low).width + 6;
    const gradient = ctx.createLinearGradient(before, 0, before + width, 0);
    for (const [k, stop] of stops.entries()) gradient.addColorStop(k / (stops.length - 1), stop);
    this.text(ctx, low, 0, y + 11, { size: 11 });
    ctx.fillStyle = gradient;
    ctx.fillRect(before, y + 2, width, 10);
    ctx.strokeStyle = this.ink.line;
    ctx.strokeRect(before + 0.5, y + 2.5, width - 1, 9);
    this.text(ctx, high, before + width + 6, y + 11, { size: 11 });
  }
}
