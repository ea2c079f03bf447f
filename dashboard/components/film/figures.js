// What can be taken away of each figure of the player.

import { css } from "../lib/colour.js";
import { findCanvas } from "../lib/dom.js";
import { saveButtons } from "../lib/save.js";
import { shownLayer } from "./cycle.js";
import { nameOf, titleOf, whereWords } from "./narration.js";
import { CURVES } from "./plots.js";

/** @typedef {import("./player.js").Player} Player */
/** @typedef {import("./trajectory.js").CurveName} CurveName */
/** @typedef {Pick<import("../lib/save.js").Figure, "picture" | "table">} Saved */

/**
 * Gives every figure its buttons.
 * @param {Player} player
 */
export function furnish(player) {
  const figures = figuresOf(player);
  for (const head of player.box.querySelectorAll("[data-figure]")) {
    const draw = () => {
      player.arrange();
      player.paintNow();
    };
    const figure = figures[head.getAttribute("data-figure") ?? ""];
    head.append(
      saveButtons({
        ...figure,
        draw,
        get ink() {
          return player.ink;
        },
      }),
    );
  }
}

/**
 * @param {Player} player
 * @returns {Record<string, Saved>}
 */
function figuresOf(player) {
  const words = (/** @type {string} */ selector) => player.$(selector).textContent;
  const canvas = (/** @type {string} */ selector) => findCanvas(player.box, selector);
  const of = () => {
    const { source } = player.film;
    return { ...source, more: `${source.more} · ${whereWords(player.frame)}` };
  };
  const curves = CURVES.map((name) => {
    const rows = [[canvas(`.curve.${name} canvas`)]];
    const title = () => titleOf(player.film, name);
    const note = () => words(`.curve.${name} .what`);
    const picture = () =>
      player.film.curve(name) && {
        title: title(),
        name,
        of: of(),
        rows,
        legend: lines(player),
        note: note(),
      };
    return [name, { picture, table: () => curveTable(player, name) }];
  });
  return {
    ...Object.fromEntries(curves),
    chains: {
      picture: () => ({
        title: `Every chain: ${player.film.called(player.layer)}`,
        name: `chains-frame-${player.frame}`,
        of: of(),
        rows: [[canvas(".grid")]],
        legend: groups(player),
      }),
      table: () => chainsTable(player),
    },
    cycle: {
      picture: () => ({
        title: words('[data-figure="cycle"] b') ?? "",
        name: `${nameOf(player.film, player.chain)}-frame-${player.frame}`,
        of: of(),
        note: "pixels: black 0 to white 1; hidden units: black 0 to light blue 1",
        rows: /** @type {import("./trajectory.js").Layer[][]} */ ([
          ["v", "ph"],
          ["pv", "h"],
        ]).map((row) =>
          row.map((layer) => ({ canvas: findCanvas(player.panels[layer]), name: player.film.called(layer) })),
        ),
      }),
      table: () => cycleTable(player),
    },
    map: {
      picture: () =>
        player.film.map !== null && {
          title: "Map of the hidden layer",
          name: "map",
          of: of(),
          rows: [[canvas(".map canvas")]],
          legend: lines(player),
          note: words(".map .what"),
        },
      table: () => mapTable(player),
    },
    twin: {
      picture: () =>
        player.film.nearest && {
          title: words(".twin b") ?? "",
          name: "nearest-image",
          of: of(),
          rows: [
            Array.from(player.box.querySelectorAll(".tiles > div"), (tile) => ({
              canvas: findCanvas(tile),
              name: tile.lastElementChild?.textContent,
            })),
          ],
          note: words(".twin .note"),
        },
    },
  };
}

/**
 * The groups' colours; nothing where there is one.
 * @param {Player} player
 * @returns {[string, string][]}
 */
function groups({ film, look }) {
  return film.groups.length > 1 ? film.groups.map((name, g) => [css(look.groups[g]), name]) : [];
}

/**
 * What the lines of a curve are.
 * @param {Player} player
 * @returns {[string, string][]}
 */
function lines(player) {
  const { film, look, chain } = player;
  if (film.groups.length > 1) return groups(player);
  /** @type {[string, string][]} */
  const others = film.n_chains > 1 ? [[css(look.text, 0.4), "the other chains"]] : [];
  return [[css(look.mine), nameOf(film, chain)], ...others];
}

/**
 * A row a chain: its free energy and distances at the frame, and the values of its cell.
 * @param {Player} player
 */
function chainsTable({ film, frame, layer }) {
  const t = frame >> 1;
  const known = film.curve("nearest") !== null;
  const units = film.show(layer, frame, 0)?.length ?? 0;
  const rows = [];
  for (let k = 0; k < film.n_chains; k++) {
    rows.push([
      (k % film.per) + 1,
      film.groups[film.groupOf(k)],
      frame,
      film.value("energy", t, k),
      film.value("distance", t, k),
      ...(known ? [film.value("nearest", t, k), film.nearestTo(t, k).number] : []),
      ...(film.show(layer, frame, k) ?? []),
    ]);
  }
  const columns = [
    ...["chain", "group", "frame", "free_energy_nats", "distance_start"],
    ...(known ? ["distance_nearest", "nearest_training_image"] : []),
    ...Array.from({ length: units }, (_, i) => `${layer}_${i}`),
  ];
  return { columns, rows };
}

/**
 * A row a unit of the chosen chain.
 * @param {Player} player
 */
function cycleTable(player) {
  const rows = [];
  for (const [name, mean, state] of /** @type {const} */ ([
    ["visible", "pv", "v"],
    ["hidden", "ph", "h"],
  ])) {
    const p = shownLayer(player, mean);
    const values = player.film.show(state, player.frame, player.chain) ?? [];
    for (const [i, x] of values.entries()) rows.push([name, i, p?.[i], x]);
  }
  return { columns: ["layer", "unit", "probability", "state"], rows };
}

/**
 * A row a sweep for which the curve is known.
 * @param {Player} player
 * @param {CurveName} name
 */
function curveTable({ film }, name) {
  const curve = film.curve(name);
  if (!curve) return null;
  const rows = [];
  for (let t = 0; t <= film.n_sweeps; t += curve.every) {
    const s = t / curve.every;
    rows.push([t, ...curve.data.subarray(s * film.n_chains, (s + 1) * film.n_chains)]);
  }
  return { columns: ["sweep", ...Array.from({ length: film.n_chains }, (_, k) => nameOf(film, k))], rows };
}

/**
 * A row a point: the training images, then the chains at the frame.
 * @param {Player} player
 */
function mapTable({ film, frame }) {
  const { map_labels, map_points, map_path } = film.a;
  const t = frame >> 1;
  /** @type {(string | number)[][]} */
  const rows = [];
  for (const [i, label] of map_labels.entries()) {
    rows.push(["training image", i, label < 255 ? label : "", map_points[2 * i], map_points[2 * i + 1]]);
  }
  for (let k = 0; k < film.n_chains; k++) {
    const i = 2 * (t * film.n_chains + k);
    rows.push([`chain after sweep ${t}`, k + 1, "", map_path[i], map_path[i + 1]]);
  }
  return { columns: ["what", "number", "class", "component_1", "component_2"], rows };
}
