// One chain in all its layers: v → p(h|v) → h → p(v|h) → v.

import { context, pixelRatio, spotOf, wrapped } from "../lib/canvas.js";
import { css } from "../lib/colour.js";
import { find, findCanvas } from "../lib/dom.js";
import { namedValue } from "../lib/table.js";
import { tableOf } from "./look.js";
import { number } from "./narration.js";

/** @typedef {import("./player.js").Player} Player */
/** @typedef {import("./trajectory.js").Layer} Layer */

/** @type {Layer[]} */
export const LAYERS = ["v", "ph", "pv", "h"];

/** @param {number} x */
const shade = (x) => (x <= 0 ? 0 : x >= 1 ? 255 : (x * 255 + 0.5) | 0);

/**
 * What one layer of a chain shows, or null where it has not been drawn yet: the start was drawn from nothing.
 * @param {Player} player
 * @param {Layer} layer
 */
export function shownLayer({ film, frame, chain }, layer) {
  return layer === "pv" && frame < 2 ? null : film.show(layer, frame, chain);
}

const SMALLEST = 7; // css pixels of height of words in a low picture
const FILTER = "its filter: red excites, blue inhibits";

/**
 * The columns that a hidden unit is wired to most.
 * @param {Float32Array} filter
 * @param {import("../lib/table.js").Table} table
 */
function strongest(filter, { columns }) {
  const order = columns.map((_, i) => i).sort((a, b) => Math.abs(filter[b]) - Math.abs(filter[a]));
  const words = order.slice(0, 4).map((i) => `${columns[i]} ${number(filter[i], 2)}`);
  return `its weights: ${words.join(", ")}${columns.length > 4 ? ", …" : ""}`;
}

/** The four panels of a player. */
export class Cycle {
  /** @param {Player} player */
  constructor(player) {
    this.player = player;
    /** @type {[Layer, HTMLElement, HTMLCanvasElement][]} */
    this.parts = LAYERS.map((layer) => [layer, player.panels[layer], findCanvas(player.panels[layer])]);
  }
  paint() {
    const { box, frame } = this.player;
    for (const [layer, panel, canvas] of this.parts) this.paintPanel(layer, panel, canvas);
    const half = frame === 0 ? "" : frame % 2 ? "h" : "v";
    for (const [layer, panel] of this.parts)
      panel.classList.toggle("lit", half ? layer.endsWith(half) : layer === "v");
    for (const arrow of box.querySelectorAll(".arrow")) {
      arrow.classList.toggle("lit", arrow.getAttribute("data-arrow") === half);
    }
  }
  /**
   * @param {Layer} layer
   * @param {HTMLElement} panel
   * @param {HTMLCanvasElement} canvas
   */
  paintPanel(layer, panel, canvas) {
    const { sizes, boards, look, film } = this.player;
    const { rows, columns } = sizes[layer];
    const c = context(canvas);
    const count = find(panel, ".count");
    c.clearRect(0, 0, canvas.width, canvas.height);
    const values = shownLayer(this.player, layer);
    if (!values) {
      c.fillStyle = css(look.text, 0.05);
      c.fillRect(0, 0, canvas.width, canvas.height);
      c.fillStyle = css(look.text, 0.55);
      this.hint(c, canvas, `made in the ${layer === "pv" ? "second" : "first"} half step`);
      count.textContent = "";
      return;
    }
    const table = tableOf(look, layer);
    const { pixels } = boards.get(layer, columns, rows);
    pixels.fill(0);
    for (let i = 0; i < values.length; i++) pixels[i] = table[shade(values[i])];
    c.fillStyle = css(look.text, 0.2); // cells beyond the last unit
    c.fillRect(0, 0, canvas.width, canvas.height);
    c.imageSmoothingEnabled = false;
    c.drawImage(boards.shown(layer), 0, 0, canvas.width, canvas.height);
    count.textContent = this.countOf(layer, values);
    if (film.a.held && layer.endsWith("v")) this.outlineHeld(c, canvas, rows, columns);
  }
  /**
   * How many units are on, or are expected to be.
   * @param {Layer} layer
   * @param {Float32Array} values
   */
  countOf(layer, values) {
    const { film, frame } = this.player;
    if (film.real && layer.endsWith("v")) return "";
    const sum = values.reduce((a, b) => a + b, 0);
    const start = layer === "v" && frame < 2;
    if (layer.startsWith("p") || (film.mean_field && !start)) return `${sum.toFixed(0)} expected`;
    return values.every((x) => x === 0 || x === 1) ? `${sum} of ${values.length} on` : "";
  }
  /**
   * Words in the middle of a picture, in as many lines as they need, and smaller where these are higher than it.
   * @param {CanvasRenderingContext2D} c
   * @param {HTMLCanvasElement} canvas
   * @param {string} words
   */
  hint(c, canvas, words) {
    let size = 0.7 * this.player.rem * pixelRatio();
    /** @param {number} high */
    const wrappedAt = (high) => {
      c.font = `${high}px ${this.player.look.font}`;
      return wrapped(c, words, canvas.width - high);
    };
    c.textAlign = "center";
    let lines = wrappedAt(size);
    while (lines.length * 1.3 * size > canvas.height && size > SMALLEST * pixelRatio()) {
      size *= 0.9;
      lines = wrappedAt(size);
    }
    for (const [k, line] of lines.entries()) {
      c.fillText(line, canvas.width / 2, canvas.height / 2 + (k - (lines.length - 1) / 2) * 1.3 * size);
    }
  }
  /**
   * A line around the pixels that are held.
   * @param {CanvasRenderingContext2D} c
   * @param {HTMLCanvasElement} canvas
   * @param {number} rows
   * @param {number} columns
   */
  outlineHeld(c, canvas, rows, columns) {
    const { film, look } = this.player;
    const s = canvas.width / columns;
    const tall = canvas.height / rows;
    c.strokeStyle = css(look.now, 0.95);
    c.lineWidth = Math.max(1, s / 6);
    c.beginPath();
    const edge = (
      /** @type {number} */ x0,
      /** @type {number} */ y0,
      /** @type {number} */ x1,
      /** @type {number} */ y1,
    ) => {
      c.moveTo(x0 * s, y0 * tall);
      c.lineTo(x1 * s, y1 * tall);
    };
    for (let i = 0; i < rows * columns; i++) {
      if (!film.isHeld(i)) continue;
      const x = i % columns;
      const y = Math.floor(i / columns);
      if (x + 1 < columns && !film.isHeld(i + 1)) edge(x + 1, y, x + 1, y + 1);
      if (x > 0 && !film.isHeld(i - 1)) edge(x, y, x, y + 1);
      if (y + 1 < rows && !film.isHeld(i + columns)) edge(x, y + 1, x + 1, y + 1);
      if (y > 0 && !film.isHeld(i - columns)) edge(x, y, x + 1, y);
    }
    c.stroke();
  }

  /**
   * Says what the unit under the pointer is, how likely it was to be on, and what it became.
   * @param {Layer} layer
   * @param {HTMLCanvasElement} canvas
   * @param {PointerEvent} e
   */
  hover(layer, canvas, e) {
    const { player } = this;
    const { film, frame, chain, sizes, tip } = player;
    const { rows, columns } = sizes[layer];
    const { width, height } = canvas.getBoundingClientRect();
    const [px, py] = spotOf(e, canvas);
    const x = Math.floor((px / width) * columns);
    const y = Math.floor((py / height) * rows);
    const i = y * columns + x;
    const pixels = layer.endsWith("v");
    const inside = x >= 0 && y >= 0 && x < columns && i < (pixels ? film.n_visible : film.n_hidden);
    if (!inside || !shownLayer(player, layer)) {
      player.hoverNothing();
      return;
    }
    const p = pixels && frame < 2 ? null : film.show(pixels ? "pv" : "ph", frame, chain);
    const state = film.show(pixels ? "v" : "h", frame, chain)?.[i] ?? Number.NaN;
    const drawn = state === 1 ? "on" : state === 0 ? "off" : number(state, 3);
    const symbol = pixels ? (film.real ? "mean" : "p(v=1|h)") : "p(h=1|v)";
    const weights = film.weightsOf(chain, (frame + 1) >> 1);
    const { table } = film;
    const own = (/** @type {number} */ share) =>
      pixels && table && film.real ? namedValue(table, i, share).slice(table.columns[i].length + 1) : null;
    const place = table ? table.columns[i] : `pixel in row ${y + 1}, column ${x + 1}`;
    const words = [
      pixels ? place : `hidden unit ${i}`,
      ...(p ? [`${symbol} = ${own(p[i]) ?? number(p[i], 3)}`] : []),
      `${film.mean_field ? "value" : "drawn"}: ${own(state) ?? drawn}`,
      `bias ${number((pixels ? weights.vbias : weights.hbias)[i], 2)}`,
      ...(pixels && film.isHeld(i) ? ["held fixed"] : []),
      ...(pixels ? [] : [table ? strongest(weights.WT.subarray(i * film.n_visible), table) : FILTER]),
    ];
    tip.show(
      e,
      words.join("\n"),
      pixels || table ? null : weights.WT.subarray(i * film.n_visible, (i + 1) * film.n_visible),
    );
  }
}
