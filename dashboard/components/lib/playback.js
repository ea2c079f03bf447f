// Playing: a clock that owes steps at a speed and pays them frame by frame.

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

/** Whether the reader wants no movement that is not needed. */
export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
