// Free energy and distances of every chain over the sweeps, with a cursor at the frame.

import { context, newCanvas, pixelRatio, segment, spotOf } from "../lib/canvas.js";
import { css } from "../lib/colour.js";
import { findCanvas } from "../lib/dom.js";
import { clamp, extent, ticks } from "../lib/numbers.js";
import { knownImage, nameOf, number } from "./narration.js";

/** @typedef {import("./player.js").Player} Player */
/** @typedef {import("./trajectory.js").CurveName} CurveName */
/**
 * A chart's frame: margins, css pixels across and down, and from values to places.
 * @typedef {ReturnType<Plots["frameOf"]>} Frame
 */

/** @type {CurveName[]} */
export const CURVES = ["energy", "distance", "nearest"];
const NEAR = 14; // css pixels from a curve at which the pointer is at it

/**
 * The values that a chart shows, with a margin of 5 %. Distances begin at 0. A start from noise can lie thousands of nats
 * up: it comes in from above the frame rather than flatten everything that follows.
 * @param {CurveName} name
 * @param {ArrayLike<number>} data (rows, chains)
 * @param {number} chains
 * @param {{ low: number, high: number } | null} band that free energies are shown with
 * @returns {[number, number]}
 */
export function curveRange(name, data, chains, band) {
  const all = Array.from(data);
  let [low, high] = extent(all);
  if (!(high >= low)) [low, high] = [0, 1];
  if (name !== "energy") return [0, high > 0 ? high * 1.05 : 1.05];
  const rows = all.length / chains;
  const settled = all.slice(chains * Math.ceil((rows - 1) / 4));
  const [a, b] = extent(band ? [...settled, band.low, band.high] : settled);
  const spread = Math.max(b - a, 1);
  low = Math.max(low, a - 1.2 * spread);
  high = Math.min(high, b + 1.2 * spread);
  if (band) [low, high] = [Math.min(low, band.low), Math.max(high, band.high)];
  if (!(high > low)) high = low + 1;
  const pad = (high - low) * 0.05;
  return [low - pad, high + pad];
}

/** The three charts of a player. */
export class Plots {
  /** @param {Player} player */
  constructor(player) {
    this.player = player;
    /** @type {[CurveName, HTMLCanvasElement][]} */
    this.parts = CURVES.map((name) => [name, findCanvas(player.box, `.curve.${name} canvas`)]);
    /** @type {Map<CurveName, HTMLCanvasElement>} what stays while the film plays */
    this.still = new Map();
    /** @type {Map<CurveName, [number, number]>} */
    this.ranges = new Map();
  }
  /** Another film: other values. */
  forget() {
    this.ranges.clear();
    this.still.clear();
  }
  /** @param {CurveName} name */
  range(name) {
    const { film } = this.player;
    let range = this.ranges.get(name);
    if (!range) {
      range = curveRange(name, film.curve(name)?.data ?? [], film.n_chains, film.band);
      this.ranges.set(name, range);
    }
    return range;
  }
  /**
   * @param {CurveName} name
   * @param {HTMLCanvasElement} canvas
   */
  frameOf(name, canvas) {
    const small = 0.72 * this.player.rem;
    const [low, high] = this.range(name);
    const { clientWidth: w, clientHeight: h } = canvas;
    const m = { left: 3.6 * small, right: 1.3 * small, top: 0.5 * small, bottom: 1.8 * small };
    const [across, down] = [w - m.left - m.right, h - m.bottom - m.top];
    return {
      ...m,
      ...{ w, h, small, low, high, across, down },
      x: (/** @type {number} */ sweep) => m.left + (across * sweep) / this.player.film.n_sweeps,
      y: (/** @type {number} */ value) => h - m.bottom - (down * (value - low)) / (high - low),
    };
  }

  paint() {
    const { player } = this;
    const { film, chain, frame } = player;
    for (const [name, canvas] of this.parts) {
      if (!player.inSight(`.curve.${name}`)) continue;
      const dpr = pixelRatio();
      const w = Math.round(canvas.clientWidth * dpr);
      const h = Math.round(canvas.clientHeight * dpr);
      if (!w || !h) continue;
      if (canvas.width !== w || canvas.height !== h) {
        Object.assign(canvas, { width: w, height: h });
        this.still.delete(name);
      }
      const c = context(canvas);
      c.setTransform(1, 0, 0, 1, 0, 0);
      c.clearRect(0, 0, w, h);
      const known = film.curve(name) !== null;
      player.write(`.curve.${name} output`, known ? this.valueWords(name, frame >> 1, chain) : "");
      if (!known) continue;
      c.drawImage(this.stillOf(name, canvas), 0, 0);
      c.scale(dpr, dpr);
      this.paintCursor(name, this.frameOf(name, canvas), c);
    }
  }
  /**
   * The value at the frame, in words.
   * @param {CurveName} name
   * @param {number} t
   * @param {number} chain
   */
  valueWords(name, t, chain) {
    const { film } = this.player;
    const value = film.value(name, t, chain);
    if (name !== "energy") return `${nameOf(film, chain)}: ${value} pixels`;
    const beyond = value > this.range(name)[1] ? " (above the chart)" : "";
    return `${nameOf(film, chain)}: ${number(value, 1)} nats${beyond}`;
  }
  /**
   * @param {CurveName} name
   * @param {HTMLCanvasElement} canvas
   */
  stillOf(name, canvas) {
    let still = this.still.get(name);
    if (!still) {
      still = newCanvas(canvas.width, canvas.height);
      const c = context(still);
      c.scale(pixelRatio(), pixelRatio());
      const frame = this.frameOf(name, canvas);
      this.paintAxes(c, frame);
      c.save();
      c.beginPath();
      c.rect(frame.left, frame.top, frame.across, frame.down);
      c.clip();
      this.paintLines(name, frame, c);
      c.restore();
      this.still.set(name, still);
    }
    return still;
  }
  /**
   * @param {CanvasRenderingContext2D} c
   * @param {Frame} frame
   */
  paintAxes(c, { left, right, w, h, small, low, high, x, y }) {
    const { look, film } = this.player;
    c.font = `${small}px ${look.font}`;
    c.fillStyle = css(look.text, 0.62);
    c.strokeStyle = css(look.text, 0.1);
    c.lineWidth = 1;
    c.textAlign = "right";
    c.textBaseline = "middle";
    const steps = [1, 2, 5, 10];
    for (const value of ticks(low, high, 4, steps)) {
      const at = Math.round(y(value)) + 0.5;
      segment(c, left, at, w - right, at);
      c.fillText(String(+value.toPrecision(6)).replace("-", "−"), left - 5, at);
    }
    c.textBaseline = "alphabetic";
    for (const sweep of ticks(0, film.n_sweeps, clamp(w / 70, 2, 8), steps).filter(Number.isInteger)) {
      c.textAlign = sweep ? "center" : "left"; // the first tick also names the axis
      c.fillText(sweep ? String(sweep) : "sweep 0", sweep ? x(sweep) : 1, h - small * 0.5);
    }
  }
  /**
   * The data's band, the fork, every chain faintly, and the chosen ones.
   * @param {CurveName} name
   * @param {Frame} frame
   * @param {CanvasRenderingContext2D} c
   */
  paintLines(name, frame, c) {
    const { player } = this;
    const { film, look, chain } = player;
    const { left, top, across, down, x, y } = frame;
    if (name === "energy" && film.band) {
      c.fillStyle = css(look.mine, 0.13);
      c.fillRect(left, y(film.band.high), across, y(film.band.low) - y(film.band.high));
    }
    if (film.fork !== null) {
      c.strokeStyle = css(look.groups[1], 0.8);
      c.setLineDash([3, 3]);
      segment(c, x(film.fork), top, x(film.fork), top + down);
      c.setLineDash([]);
    }
    const alpha = clamp(4 / film.n_chains, 0.14, 0.5);
    const several = film.groups.length > 1;
    for (let k = 0; k < film.n_chains; k++) {
      const rgb = several ? player.colourOf(k) : look.text;
      if (k !== chain) this.paintLine(name, frame, c, k, css(rgb, alpha), 1);
    }
    for (const k of player.twins()) {
      this.paintLine(name, frame, c, k, css(player.colourOf(k)), k === chain ? 2.4 : 1.5);
    }
  }
  /**
   * @param {CurveName} name
   * @param {Frame} frame
   * @param {CanvasRenderingContext2D} c
   * @param {number} chain
   * @param {string} colour
   * @param {number} width
   */
  paintLine(name, { x, y }, c, chain, colour, width) {
    const { film } = this.player;
    const every = film.curve(name)?.every ?? 1;
    c.beginPath();
    for (let t = 0; t <= film.n_sweeps; t += every) c.lineTo(x(t), y(film.value(name, t, chain)));
    c.strokeStyle = colour;
    c.lineWidth = width;
    c.lineJoin = "round";
    c.stroke();
  }
  /**
   * The chain hovered, a rule at the frame, and a dot a chain.
   * @param {CurveName} name
   * @param {Frame} frame
   * @param {CanvasRenderingContext2D} c
   */
  paintCursor(name, frame, c) {
    const { player } = this;
    const { film, look, hovered, chain } = player;
    const { left, top, across, down, x } = frame;
    c.save();
    c.beginPath();
    c.rect(left - 5, top, across + 10, down);
    c.clip();
    if (hovered !== null && hovered !== chain)
      this.paintLine(name, frame, c, hovered, css(look.text, 0.85), 1.5);
    c.strokeStyle = css(look.now);
    c.lineWidth = 1.5;
    segment(c, x(player.frame / 2), top, x(player.frame / 2), top + down);
    for (let k = 0; k < film.n_chains; k++) {
      if (k !== chain) this.paintDot(name, frame, c, k, css(look.text, 0.35), 1.6);
    }
    for (const k of player.twins()) {
      this.paintDot(name, frame, c, k, css(player.colourOf(k)), k === chain ? 4.2 : 3);
    }
    c.restore();
  }
  /**
   * A dot at the frame; beyond the chart, an arrowhead that points to where it lies.
   * @param {CurveName} name
   * @param {Frame} frame
   * @param {CanvasRenderingContext2D} c
   * @param {number} chain
   * @param {string} colour
   * @param {number} r
   */
  paintDot(name, { x, y, top, down }, c, chain, colour, r) {
    const t = this.player.frame >> 1;
    const px = x(t);
    const py = y(this.player.film.value(name, t, chain));
    const up = py < top - 1;
    c.beginPath();
    if (up || py > top + down + 1) {
      const tip = up ? top + 1 : top + down - 1;
      const foot = tip + (up ? 2 : -2) * r;
      c.moveTo(px, tip);
      c.lineTo(px - 1.2 * r, foot);
      c.lineTo(px + 1.2 * r, foot);
      c.closePath();
    } else c.arc(px, py, r, 0, 7);
    c.fillStyle = colour;
    c.fill();
  }

  /**
   * The frame, sweep and chain that the pointer is at; chain is null where none is near.
   * @param {CurveName} name
   * @param {HTMLCanvasElement} canvas
   * @param {MouseEvent} e
   */
  at(name, canvas, e) {
    const { film, frame } = this.player;
    if (!film.curve(name)) return { frame, t: frame >> 1, chain: null };
    const { left, across, y } = this.frameOf(name, canvas);
    const [px, py] = spotOf(e, canvas);
    const sweep = clamp(((px - left) / across) * film.n_sweeps, 0, film.n_sweeps);
    const t = Math.round(sweep);
    let chain = null;
    let best = NEAR;
    for (let k = 0; k < film.n_chains; k++) {
      const d = Math.abs(y(film.value(name, t, k)) - py);
      if (d < best) [best, chain] = [d, k];
    }
    return { frame: Math.round(2 * sweep), t, chain };
  }
  /**
   * @param {CurveName} name
   * @param {HTMLCanvasElement} canvas
   * @param {PointerEvent} e
   */
  hover(name, canvas, e) {
    const { player } = this;
    const { film } = player;
    const { frame, t, chain } = this.at(name, canvas, e);
    if (e.buttons) player.seek(frame);
    player.setHover(chain);
    if (chain === null) {
      player.tip.hide();
      return;
    }
    const value = film.value(name, t, chain);
    const from = name === "nearest" ? `the nearest ${knownImage(film)}` : film.reference;
    const words = name === "energy" ? `F(v) = ${number(value, 1)} nats` : `${value} pixels from ${from}`;
    player.tip.show(e, `${nameOf(film, chain)}, sweep ${t}\n${words}`);
  }
}
