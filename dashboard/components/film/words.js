// What stands on the player for as long as a film is shown: formulas, titles, names of layers.

import { inWords } from "../lib/table.js";
import { knownImage, meaningOf, titleOf } from "./narration.js";
import { CURVES } from "./plots.js";

/** @typedef {import("./player.js").Player} Player */

const NAMED = ["title", "aria-label"];
const STILL = "[title], [aria-label], .arrow.right small, .arrow.left small";

const row = (/** @type {string[]} */ ...parts) => `<mrow>${parts.join("")}</mrow>`;
const INVERSE = `<msup><mi>Σ</mi>${row("<mo>−</mo><mn>1</mn>")}</msup>`;
const TO_PIXELS = row("<mi>b</mi><mo>+</mo><mi>h</mi><msup><mi>W</mi><mi>T</mi></msup>");
const toHidden = (/** @type {boolean} */ gain, /** @type {boolean} */ labels) =>
  row(
    "<mi>c</mi><mo>+</mo><mi>v</mi>",
    gain ? INVERSE : "",
    "<mi>W</mi>",
    labels ? "<mo>+</mo><mi>y</mi><mi>U</mi>" : "",
  );
const plain = (/** @type {string} */ bracket) => `<mo stretchy="false">${bracket}</mo>`;
// Not every reader has a font whose brackets grow with what they hold.
const tall = (/** @type {string} */ bracket) =>
  `<mpadded voffset="-0.28em"><mo class="tall" stretchy="false" lspace="0" rspace="0">${bracket}</mo></mpadded>`;

/**
 * All that the film itself decides.
 * @param {Player} player
 */
export function writeFilm(player) {
  const { film, box } = player;
  box.classList.toggle("several", film.groups.length > 1);
  box.classList.toggle("heated", film.heated);
  box.classList.toggle("mapped", Boolean(film.map || film.map_pending));
  box.classList.toggle("neared", Boolean(film.nearest || film.nearest_pending));
  for (const name of CURVES) {
    player.write(`[data-figure="${name}"] b`, titleOf(film, name));
    player.write(`[data-figure="${name}"] .what`, meaningOf(film, name));
  }
  const laying = "training images are being laid out: a few seconds, once";
  player.write(".map .what", film.map ? `chains walk among ${film.map}` : laying);
  player.write('[data-tile="known"] + small', knownImage(film));
  writeFormulas(player);
  writeStill(player);
}

/** @type {WeakMap<Node, Record<string, string>>} what stands in the player from the start, about pictures */
const written = new WeakMap();

/**
 * The words that no film changes, about pictures or about rows of a table.
 * @param {Player} player
 */
function writeStill({ box, film }) {
  for (const node of box.querySelectorAll(STILL)) {
    let own = written.get(node);
    if (!own && !film.table) continue;
    if (!own) {
      own = Object.fromEntries(NAMED.map((name) => [name, node.getAttribute(name) ?? ""]));
      own.text = node.matches("small") ? (node.textContent ?? "") : "";
      written.set(node, own);
    }
    for (const name of NAMED) if (own[name]) node.setAttribute(name, inWords(own[name], film.table));
    if (own.text) node.textContent = inWords(own.text, film.table);
  }
}

/**
 * What each half step works out, as it stands on the arrows: with the temperature where there is one.
 * @param {Player} player
 */
function writeFormulas(player) {
  const { film, box } = player;
  const $ = (/** @type {string} */ selector) => player.$(selector);
  const heated = (/** @type {string} */ x) => [tall("("), `<mfrac>${x}<mi>T</mi></mfrac>`, tall(")")];
  const sigma = (/** @type {string} */ x) =>
    row("<mi>σ</mi>", ...(film.heated ? heated(x) : [plain("("), x, plain(")")]));
  const labels = film.a.y_half !== undefined;
  $(".arrow.right math").innerHTML = sigma(toHidden(film.a.h_gain !== undefined, labels));
  $(".arrow.right math").style.fontSize = labels ? "0.7em" : ""; // the longest formula, in the same room
  $(".arrow.left math").innerHTML = film.real ? TO_PIXELS : sigma(TO_PIXELS);
  $(".law").textContent = film.real ? "E" : "p";
  for (const small of box.querySelectorAll(".arrow.up small, .arrow.down small")) {
    small.textContent = film.mean_field ? "copy" : "draw";
  }
  player.write(".scale .pixels", film.table ? "columns" : film.real ? "grey" : "pixels");
}

/**
 * What a cell can show; where there is little room the symbol alone says how it is meant.
 * @param {Player} player
 */
export function nameLayers(player) {
  const { film, narrow } = player;
  const state = film.mean_field ? "values" : "samples";
  const mean = film.real ? "means" : "probabilities";
  for (const [layer, units, short, kind] of /** @type {const} */ ([
    ["pv", "pixels", "pixels", mean],
    ["v", "pixels", "pixels", state],
    ["ph", "hidden units", "hidden", "probabilities"],
    ["h", "hidden units", "hidden", state],
  ])) {
    const name = film.called(layer);
    player.write(`.layer [value="${layer}"]`, narrow ? `${short}: ${name}` : `${units}: ${kind} ${name}`);
  }
}
