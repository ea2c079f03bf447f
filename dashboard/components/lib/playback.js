// Playing: a clock that owes steps at a speed and pays them frame by frame.

import { find, PAUSE } from "./dom.js";

const PLAY = "M7 4.5v15L19.5 12z"; // as the pages of film and ladder draw it at first

// A tab that slept owes no more than this many milliseconds.
const LONGEST = 250;

/** How many whole steps are due: elapsed time times speed, the remainder carried over. */
export class StepClock {
  /** @param {number} now milliseconds */
  constructor(now) {
    this.before = now;
    this.owed = 0;
  }
  /**
   * @param {number} now milliseconds
   * @param {number} speed steps a second
   */
  due(now, speed) {
    this.owed += (Math.min(now - this.before, LONGEST) * speed) / 1000;
    this.before = now;
    const steps = Math.floor(this.owed);
    this.owed -= steps;
    return steps;
  }
}

/**
 * Calls `step(n)` on animation frames in which n ≥ 0 steps are due, until it returns false.
 * @param {() => number} speed steps a second, asked on every frame
 * @param {(steps: number) => boolean} step whether to go on
 */
export function play(speed, step) {
  const clock = new StepClock(performance.now());
  const tick = (/** @type {number} */ now) => {
    if (step(clock.due(now, speed()))) requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
}

/**
 * Plays frames from where the player stands, or from the first where it stands at the last.
 * @param {{ frame: number, speed: number, playing: boolean, film: { last: number }, box: HTMLElement,
 *   seek: (frame: number) => void, pause: () => void, setPlayButton: () => void }} player
 */
export function playFrames(player) {
  if (player.frame >= player.film.last) player.seek(0);
  player.playing = true;
  player.setPlayButton();
  play(
    () => player.speed,
    (steps) => {
      if (!player.playing || !player.box.isConnected) return false;
      if (steps) player.seek(player.frame + steps);
      if (player.frame >= player.film.last) player.pause();
      return player.playing;
    },
  );
}

/**
 * The play button of a player says what a press does; its sentence is not read out while it plays.
 * @param {HTMLElement} box
 * @param {boolean} playing
 */
export function showPlaying(box, playing) {
  const button = find(box, '[data-do="play"]');
  const words = playing ? "Pause" : "Play";
  find(button, "path", SVGElement).setAttribute("d", playing ? PAUSE : PLAY);
  find(button, ".word").textContent = words;
  button.setAttribute("aria-label", `${words} (space)`);
  find(box, ".sentence").setAttribute("aria-live", playing ? "off" : "polite");
}

/** Whether the reader wants no movement that is not needed. */
export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
