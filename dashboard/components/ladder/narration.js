// A ladder's frames in words.

import { pretty } from "../lib/numbers.js";

/** @typedef {import("./record.js").Record} Record */

/**
 * A rung's machine in a few letters: its step, "≈" before a step between two kept machines.
 * @param {import("./record.js").Rung} rung
 */
export function rungName({ from, to, share }) {
  if (!share) return from === null ? "noise" : pretty(from);
  return `≈ ${pretty(Math.round((from ?? 0) + share * (to - (from ?? 0))))}`;
}

/**
 * @param {Record} film
 * @param {number} frame
 */
export function whereText(film, frame) {
  return `round ${pretty(film.roundOf(frame))} of ${pretty(film.n_rounds)}`;
}

/**
 * @param {Record} film
 * @param {number} frame
 */
export function tripsText(film, frame) {
  const n = film.a.trips[frame >> 1];
  return `${pretty(n)} round trip${n === 1 ? "" : "s"}`;
}

/**
 * What the frame shows, in a sentence or two.
 * @param {Record} film
 * @param {number} frame
 */
export function sentence(film, frame) {
  const { K } = film;
  if (!frame)
    return `${K} machines of one run, from independent pixels at the bottom to step ${rungName(film.rungs[K - 1])} at the top. Each holds one picture, which came up to it from noise.`;
  const round = `Round ${pretty(film.roundOf(frame))}`;
  if (frame % 2)
    return `${round}, first half: each of the ${K} machines draws its own picture anew, v → h → v. Near the bottom a sweep forgets everything; near the top a picture hardly changes.`;
  const { asked, took } = film.counts(frame);
  const news = film.pairAt(frame, K - 2).took
    ? " The last machine got its picture from the one below."
    : " The last machine kept its picture.";
  return `${round}, second half: ${took} of ${asked} neighbouring pairs exchanged their pictures, each with the probability that leaves both machines' laws as they are.${news}`;
}
