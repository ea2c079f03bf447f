// Fits the player into its window.

import { context, pixelRatio, textScale } from "../lib/canvas.js";
import { el, find, findCanvas } from "../lib/dom.js";
import { clamp } from "../lib/numbers.js";
import { nameBand, nameCanvas } from "../lib/table.js";
import { LAYERS } from "./cycle.js";
import { gridOf, gridRoom, panelSide } from "./layout.js";
import { whereText } from "./narration.js";

/** @typedef {import("./player.js").Player} Player */
/** @typedef {{ cell: number, rows: number, columns: number }} Size of a canvas; cell: device pixels a unit */

const SLIM = 768; // css pixels: in windows up to here the sidebar lies over the page, and is shut at first
const NARROW = 44; // rem: players up to here are laid out for a phone
const BESIDE = 34; // rem: the grid stands beside the panels from here on
const GROUP_NAME = 1.7; // rem
const LOWEST_STRIP = 22; // css pixels of height of a table's row

/** @param {Player} player */
export function arrange(player) {
  const { box, film, mode } = player;
  const width = box.clientWidth;
  const rem = 16 * textScale();
  const narrow = width <= NARROW * rem;
  Object.assign(player, { rem, narrow });
  showParts(player);
  tellWidth(player);
  holdWhere(player);
  const beside = mode === "both" && width > BESIDE * rem;
  find(box, ".stage").style.flexWrap = beside ? "nowrap" : "wrap";
  const free = window.innerHeight - find(box, ".controls").offsetHeight - 5 * rem; // what a scrolled window shows at once
  const tall = clamp(window.innerHeight * (mode === "one" ? 0.6 : 0.56), 300, 860);
  const panelTall = narrow ? Math.max(tall, Math.min(free, 2 * tall)) : tall;
  const side = panelSide({ width, tall: panelTall, rem, beside });
  for (const layer of LAYERS) {
    const [rows, columns] = film.shape(layer);
    player.panels[layer].style.width = `${side}px`;
    const canvas = findCanvas(player.panels[layer]);
    const table = film.tableOf(layer);
    player.sizes[layer] = fitCanvas(canvas, rows, columns, side, true, table ? LOWEST_STRIP : 0);
    name(player, canvas, table, [{ left: 0, wide: canvas.clientWidth }]);
  }
  const gridTall = narrow ? clear(box, Math.min(width, tall), free) : tall;
  arrangeGrid(player, gridRoom({ width, tall: gridTall, rem, beside }, side));
}

/**
 * Pixels and hidden units get the same place: nothing moves when the other layer is shown.
 * @param {Player} player
 * @param {{ wide: number, high: number }} room
 */
function arrangeGrid(player, room) {
  const { film, grid, rem, layer, box, ink } = player;
  const count = { per: film.per, groups: film.groups.length };
  const label = film.groups.length > 1 ? GROUP_NAME * rem : 0;
  const plan = (/** @type {import("./trajectory.js").Layer} */ shown) => {
    const [rows, w] = film.shape(shown);
    const table = film.tableOf(shown);
    const h = table ? Math.max(2, Math.round(w / 8)) : rows;
    const names = table ? nameBand(context(grid.canvas), table, `11px ${ink.font}`) : 0; // below the strips
    const free = { wide: room.wide, high: room.high - names };
    const plan = gridOf({ h, w }, count, free, label);
    const scale = Math.min(free.wide / plan.width, free.high / plan.height);
    return { plan, names, wide: scale * plan.width, high: scale * plan.height };
  };
  const plans = [plan("v"), plan("h")];
  const chosen = plan(layer);
  grid.plan = chosen.plan;
  fitCanvas(grid.canvas, chosen.plan.height, chosen.plan.width, Math.max(chosen.wide, chosen.high), false);
  const most = (/** @type {(p: typeof chosen) => number} */ side) =>
    `${Math.ceil(Math.max(...plans.map(side)))}px`;
  const [width, minHeight] = [most((p) => p.wide), most((p) => p.high + p.names)];
  Object.assign(find(box, ".cells").style, { width, minHeight });
  grid.placeNames();
  const wide = (grid.canvas.clientWidth * chosen.plan.w) / chosen.plan.width;
  const step = (wide * (chosen.plan.w + chosen.plan.gap)) / chosen.plan.w;
  const strips = chosen.plan.places
    .filter(({ y }) => y === chosen.plan.places[0].y)
    .flatMap(({ x }) =>
      Array.from({ length: chosen.plan.columns }, (_, c) => ({
        left: (x * wide) / chosen.plan.w + c * step,
        wide,
      })),
    );
  name(player, grid.canvas, film.tableOf(layer), strips);
}

/**
 * The names of a table's columns below the strips on a canvas; none where there is no table.
 * @param {Player} player
 * @param {HTMLCanvasElement} canvas
 * @param {import("../lib/table.js").Table | null} table
 * @param {{ left: number, wide: number }[]} strips css pixels
 */
function name({ ink }, canvas, table, strips) {
  const next = canvas.nextElementSibling;
  const old = next instanceof HTMLCanvasElement && next.className === "names" ? next : null;
  if (!table) {
    old?.remove();
    return;
  }
  const names = old ?? el("canvas", { class: "names", role: "img" });
  if (!old) canvas.after(names);
  nameCanvas(names, table, canvas.clientWidth, strips, ink);
}

/** @param {Player} player */
function showParts({ box, mode, narrow }) {
  for (const b of box.querySelectorAll("[data-show]")) {
    b.setAttribute("aria-pressed", String(b.getAttribute("data-show") === mode));
  }
  find(box, ".chains").style.display = mode === "one" ? "none" : "";
  find(box, ".pick:has(.layer)").style.visibility = mode === "one" ? "hidden" : "";
  /** @type {HTMLElement} */ (find(box, ".cycle").parentElement).style.display =
    mode === "grid" ? "none" : "";
  box.classList.toggle("narrow", narrow);
  find(box, narrow ? ".under" : ".choices").append(find(box, ".scale"));
}

/**
 * The page hears when its window has become narrow, or wide.
 * @param {Player} player
 */
function tellWidth(player) {
  const slim = window.innerWidth <= SLIM;
  if (slim === player.slim) return;
  player.slim = slim;
  player.say("slim", slim);
}

/**
 * Room for the longest words that can stand beside the slider, so that it keeps its length while the film plays.
 * @param {Player} player
 */
function holdWhere({ box, film, chain }) {
  const where = find(box, ".where");
  const now = where.textContent;
  where.style.minWidth = "";
  where.textContent = whereText(film, film.last - 1, chain);
  where.style.minWidth = `${Math.ceil(where.getBoundingClientRect().width) + 2}px`;
  where.textContent = now;
}

/**
 * On a narrow window the controls stay at its lower edge: how much of `wanted` they leave the grid to be seen whole, at
 * once where that is not too small, else after a scroll.
 * @param {HTMLElement} box
 * @param {number} wanted css pixels
 * @param {number} free css pixels that a scrolled window shows at once
 */
function clear(box, wanted, free) {
  const root = /** @type {ShadowRoot} */ (box.getRootNode());
  const page = root.host?.closest('[data-testid="stMain"]');
  const above = find(box, ".cells").getBoundingClientRect().top + (page?.scrollTop ?? 0);
  const atOnce = window.innerHeight - above - find(box, ".controls").offsetHeight - 8;
  return Math.max(120, Math.min(wanted, atOnce >= 0.6 * wanted ? atOnce : free));
}

/**
 * Sizes a canvas to rows × columns cells within `side` css pixels, each a whole number of device pixels if asked.
 * @param {HTMLCanvasElement} canvas
 * @param {number} rows
 * @param {number} columns
 * @param {number} side
 * @param {boolean} whole
 * @param {number} [lowest] css pixels of height, at least
 * @returns {Size}
 */
export function fitCanvas(canvas, rows, columns, side, whole, lowest = 0) {
  const dpr = pixelRatio();
  let cell = (side * dpr) / Math.max(rows, columns);
  if (whole) cell = Math.max(1, Math.floor(cell));
  canvas.width = Math.round(columns * cell);
  canvas.height = Math.round(Math.max(rows * cell, lowest * dpr));
  canvas.style.width = `${canvas.width / dpr}px`;
  canvas.style.height = `${canvas.height / dpr}px`;
  return { cell, rows, columns };
}
