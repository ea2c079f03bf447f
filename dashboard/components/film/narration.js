// What happens in a film, in words.

import { fixed } from "../lib/numbers.js";

/** @typedef {import("./trajectory.js").Trajectory} Trajectory */

/**
 * @param {number} x
 * @param {number} digits
 */
export const number = (x, digits) => (Number.isFinite(x) ? fixed(x, digits) : "not a number");

/**
 * @param {Trajectory} film
 * @param {number} chain
 */
export function nameOf(film, chain) {
  const name = film.n_chains > 1 ? `chain ${(chain % film.per) + 1}` : "the chain";
  return film.groups.length > 1 ? `${name} (${film.groups[film.groupOf(chain)]})` : name;
}

/**
 * What the nearest images are: training images, or probe images where the run's data are not at hand.
 * @param {Trajectory} film
 */
export const knownImage = (film) => film.nearest?.noun ?? "training image";

/**
 * Where a frame lies.
 * @param {Trajectory} film
 * @param {number} frame
 * @param {number} chain whose temperature is said
 */
export function whereText(film, frame, chain) {
  if (frame === 0) return `start · 0 / ${film.n_sweeps}`;
  const sweep = (frame + 1) >> 1;
  const heat = film.heated ? ` · T ${number(1 / film.betaOf(chain, sweep), 2)}` : "";
  return `sweep ${sweep} / ${film.n_sweeps} · half step ${frame % 2 ? "h" : "v"}${heat}`;
}

/**
 * The same for a figure's source.
 * @param {number} frame
 */
export function whereWords(frame) {
  return frame === 0 ? "start" : `sweep ${(frame + 1) >> 1}, half step ${frame % 2 ? "h" : "v"}`;
}

/**
 * @param {Trajectory} film
 * @param {import("./trajectory.js").CurveName} name
 */
export function titleOf(film, name) {
  if (name === "energy") return "Free energy F(v)";
  if (name === "nearest") return `Distance to the nearest ${knownImage(film)}`;
  return `Distance to ${film.reference === "its own start" ? "the start" : film.reference}`;
}

/**
 * What a curve counts, and how it is to be read.
 * @param {Trajectory} film
 * @param {import("./trajectory.js").CurveName} name
 */
export function meaningOf(film, name) {
  const differ = `how many of ${film.n_visible} pixels differ`;
  if (name === "distance") return differ;
  if (name === "nearest") {
    if (!film.nearest) return "every state is being held against every training image";
    const { source, every } = film.nearest;
    return `${differ}; nearest of ${source}${every > 1 ? `, looked for after every ${every} sweeps` : ""}`;
  }
  const several = new Set(film.a.machine).size > 1;
  const read = several
    ? "each chain in its own machine: levels of different machines do not compare"
    : "at temperature 1; one nat lower is e times likelier";
  return `nats, ${read}${film.band ? `; band: the middle 90 % of ${film.band.label}` : ""}`;
}

/**
 * The sentence beside the controls: what the half step just made did in one chain.
 * @param {Trajectory} film
 * @param {number} frame
 * @param {number} chain
 */
export function sentence(film, frame, chain) {
  const t = (frame + 1) >> 1;
  if (frame % 2) return `Sweep ${t} of ${film.n_sweeps}, first half: ${firstHalf(film, t, chain)}`;
  let words = frame
    ? `Sweep ${t} of ${film.n_sweeps}, second half: ${secondHalf(film, t, chain)}`
    : `${film.start_sentence} ${startWords(film, chain)}`;
  if (frame) words += labelWords(film, t, chain);
  if (film.reference !== "its own start") words = withReference(film, words, t, chain);
  if (film.groups.length > 1 && frame > 1) words += besideWords(film, t, chain);
  return words;
}

/**
 * @param {Trajectory} film
 * @param {number} t
 * @param {number} chain
 */
const energyOf = (film, t, chain) => number(film.value("energy", t, chain), 1);

/**
 * @param {Trajectory} film
 * @param {number} t
 * @param {number} chain
 */
function heatOf(film, t, chain) {
  const beta = film.betaOf(chain, t);
  return Math.abs(beta - 1) > 1e-6 ? ` at temperature ${number(1 / beta, 2)}` : "";
}

/**
 * @param {Trajectory} film
 * @param {number} chain
 */
function startWords(film, chain) {
  const energy = `Free energy of ${nameOf(film, chain)}: ${energyOf(film, 0, chain)} nats`;
  const label = film.labelOf(0, chain);
  const named = label === null ? "" : ` Its label, drawn from p(y|v): ${label}.`;
  return `${energy}${emptiness(film, chain)}.${named} Press play, or → for the first half step.`;
}

/**
 * What became of the label in sweep t, where labels are drawn with the pixels.
 * @param {Trajectory} film
 * @param {number} t
 * @param {number} chain
 */
function labelWords(film, t, chain) {
  const label = film.labelOf(t, chain);
  if (label === null) return "";
  if (film.mean_field) return ` Its likeliest label: ${label}.`;
  const before = film.labelOf(t - 1, chain);
  return label === before ? ` Its label stays ${label}.` : ` Its label, ${before} before, is now ${label}.`;
}

/**
 * Why a model that finds the empty picture likely does not draw it.
 * @param {Trajectory} film
 * @param {number} chain
 */
function emptiness(film, chain) {
  const empty = !film.real && film.v(0, chain).every((x) => x === 0);
  if (!empty || !film.band || !(film.a.free_energy[chain] < film.band.low)) return "";
  return ", likelier than most single pictures of the data; but there is one empty picture and very many others, so chains leave it";
}

/**
 * @param {Trajectory} film
 * @param {number} t
 * @param {number} chain
 */
function firstHalf(film, t, chain) {
  const name = nameOf(film, chain);
  const heat = heatOf(film, t, chain);
  const h = film.h(t, chain);
  const on = h.reduce((a, b) => a + b, 0);
  const seen = film.labelOf(t - 1, chain) === null ? "the picture v" : "the picture v and its label";
  if (film.mean_field) {
    return `no coin is tossed, each hidden unit takes the probability p(h|v)${heat} itself; ${name} expects ${number(on, 1)} of ${film.n_hidden} on.`;
  }
  const news = t > 1 ? `, ${changed(film.h(t - 1, chain), h)} of them changed` : "";
  return `each hidden unit looked at ${seen} and switched on with probability p(h|v)${heat}. In ${name}, ${on} of ${film.n_hidden} are on${news}.`;
}

/**
 * @param {Trajectory} film
 * @param {number} t
 * @param {number} chain
 */
function secondHalf(film, t, chain) {
  const name = nameOf(film, chain);
  const heat = heatOf(film, t, chain);
  const pixel = `each pixel${film.a.held ? " that is not held" : ""}`;
  const energy = energyOf(film, t, chain);
  if (film.mean_field) {
    return `${pixel} took the probability p(v|h)${heat} itself. The free energy of ${name} is ${energy} nats.`;
  }
  if (film.real) {
    return `${pixel} looked at the hidden units and was drawn around its mean${heat}. The free energy of ${name} is ${energy} nats.`;
  }
  const flips = changed(film.v(t - 1, chain), film.v(t, chain));
  return `${pixel} looked at the hidden units and switched on with probability p(v|h)${heat}. In ${name}, ${flips} of ${film.n_visible} flipped: F(v) = ${energy} nats.`;
}

/**
 * What became of the picture that was spoilt: inverted pixels can be repaired, pixels let loose can only be filled in.
 * @param {Trajectory} film
 * @param {string} words
 * @param {number} t
 * @param {number} chain
 */
function withReference(film, words, t, chain) {
  const now = film.value("distance", t, chain);
  const from = film.value("distance", 0, chain);
  const before = (/** @type {string} */ news) => words.replace("Press play", `${news} Press play`);
  if (film.a.held) {
    if (t === 0) return before(`${from} of the pixels let loose differ from the whole picture.`);
    return `${words} ${now} pixels differ from the whole picture, ${from} did at the start; another good completion differs too.`;
  }
  if (t === 0) return before(`${from} of its pixels are inverted.`);
  const first = film.groupOf(chain) * film.per;
  let all = 0;
  let allFrom = 0;
  for (let k = first; k < first + film.per; k++) {
    all += film.value("distance", t, k);
    allFrom += film.value("distance", 0, k);
  }
  if (all >= allFrom) return `${words} The chains are now as far from the clean pictures as they began.`;
  const over = film.per > 1 ? `, ${share(allFrom, all)} over all chains` : "";
  return `${words} ${share(from, now)} of the inverted pixels are repaired${over}, counted against the picture it started from.`;
}

/**
 * @param {number} before
 * @param {number} after
 */
function share(before, after) {
  return before ? `${Math.round(100 * (1 - after / before))} %`.replace("-", "−") : "0 %";
}

/**
 * How far a chain is from its twin: in the last group, or, of the last itself, in the one before it.
 * @param {Trajectory} film
 * @param {number} t
 * @param {number} chain
 */
function besideWords(film, t, chain) {
  const last = film.groups.length - 1;
  const group = film.groupOf(chain) === last ? last - 1 : last;
  const other = group * film.per + (chain % film.per);
  const where = film.fork === null ? `at ${film.groups[group]}` : `in “${film.groups[group]}”`;
  return ` It differs from the same chain ${where} in ${changed(film.v(t, other), film.v(t, chain))} pixels.`;
}

/**
 * How many values differ by more than one half.
 * @param {Float32Array} before
 * @param {Float32Array} after
 */
function changed(before, after) {
  let n = 0;
  for (let i = 0; i < after.length; i++) if (Math.abs(after[i] - before[i]) > 0.5) n++;
  return n;
}
