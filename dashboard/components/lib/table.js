// Rows of a table in place of pictures: the names of their columns, the values they stand for, the words for them.

import { sharpen } from "./canvas.js";
import { pretty } from "./numbers.js";

/**
 * columns: their names; low, high: the values of each that stand at 0 and 1; words: [of pictures, of tables], as in
 * dashboard/figures/cases.py.
 * @typedef {{ columns: string[], low: number[], high: number[], words: [string, string][] }} Table
 */

const NARROWEST = 11; // css pixels between two names
const LONGEST = 128; // css pixels of a name

/**
 * The value of a column in its own unit.
 * @param {Table} table
 * @param {number} column
 * @param {number} share from 0 to 1 of its range
 */
export function columnValue({ low, high }, column, share) {
  return low[column] + share * (high[column] - low[column]);
}

/**
 * `alcohol 13.2`.
 * @param {Table} table
 * @param {number} column
 * @param {number} share
 */
export const namedValue = (table, column, share) =>
  `${table.columns[column]} ${pretty(columnValue(table, column, share), 4)}`;

/**
 * A text about pictures in the words for tables; as it is where there is no table.
 * @param {string} text
 * @param {Table | null | undefined} table
 */
export function inWords(text, table) {
  if (!table) return text;
  const known = new Map(table.words);
  const found = new RegExp(`\\b([Aa]n )?(${[...known.keys()].join("|")})\\b`, "gi");
  return text.replace(found, (_, article, word) => {
    const now = /** @type {string} */ (known.get(word.toLowerCase()));
    const capital = word[0] !== word[0].toLowerCase();
    const before = article && !"aeiou".includes(now[0]) ? `${article[0]} ` : (article ?? "");
    return before + (capital ? now[0].toUpperCase() + now.slice(1) : now);
  });
}

/**
 * css pixels that the names take above the columns; 0 where the columns are too narrow for any.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Table} table
 * @param {string} font
 */
export function nameBand(ctx, table, font) {
  ctx.font = font;
  const longest = table.columns.reduce((most, name) => Math.max(most, ctx.measureText(name).width), 0);
  return Math.min(Math.ceil(longest), LONGEST) + 8;
}

/**
 * Writes each column's name upright above its column; of narrow columns every second, third, … one.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Table} table
 * @param {{ x: number, y: number, cell: number, ink: { text: string, font: string }, below?: boolean }} place left end of
 * the first column, where the names meet the strip, width of a column, whether they hang below it
 */
export function drawNames(ctx, table, { x, y, cell, ink, below = false }) {
  const every = Math.max(1, Math.ceil(NARROWEST / cell));
  ctx.save();
  ctx.fillStyle = ink.text;
  ctx.font = `11px ${ink.font}`;
  ctx.textAlign = below ? "right" : "left";
  ctx.textBaseline = "middle";
  for (let i = 0; i < table.columns.length; i += every) {
    ctx.save();
    ctx.translate(x + (i + 0.5) * cell, y + (below ? 3 : -3));
    ctx.rotate(-Math.PI / 2);
    ctx.fillText(cut(ctx, table.columns[i]), 0, 0);
    ctx.restore();
  }
  ctx.restore();
}

/**
 * A canvas of names below strips that lie side by side.
 * @param {HTMLCanvasElement} canvas
 * @param {Table} table
 * @param {number} width css pixels
 * @param {{ left: number, wide: number }[]} strips css pixels
 * @param {{ text: string, font: string }} ink
 */
export function nameCanvas(canvas, table, width, strips, ink) {
  const band = nameBand(sharpen(canvas, width, 10), table, `11px ${ink.font}`);
  const ctx = sharpen(canvas, width, band);
  for (const { left, wide } of strips)
    drawNames(ctx, table, { x: left, y: 0, cell: wide / table.columns.length, ink, below: true });
  canvas.setAttribute("aria-label", `Columns from left to right: ${table.columns.join(", ")}`);
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {string} name
 */
function cut(ctx, name) {
  let shown = name;
  while (shown.length > 1 && ctx.measureText(shown).width > LONGEST) shown = `${shown.slice(0, -2)}…`;
  return shown;
}
