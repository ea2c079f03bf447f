// Chains among training images, on the first two principal components of the hidden layer.

import { context, dot, newCanvas, pixelRatio, segment, spotOf } from "../lib/canvas.js";
import { css } from "../lib/colour.js";
import { findCanvas } from "../lib/dom.js";
import { extent } from "../lib/numbers.js";
import { rgbOf } from "../lib/theme.js";
import { nameOf } from "./narration.js";

// The colours of the digits 0 to 9.
const DIGITS = [
  "blue",
  "vermillion",
  "green",
  "purple",
  "orange",
  "sky",
  "grey",
  "blue",
  "vermillion",
  "green",
];
const AROUND = 24; // css pixels
const NEAR = 14; // css pixels from a chain at which the pointer is at it
const TRAIL = 40; // sweeps

/** The map of a player. */
export class HiddenMap {
  /** @param {import("./player.js").Player} player */
  constructor(player) {
    this.player = player;
    this.canvas = findCanvas(player.box, ".map canvas");
    /** @type {HTMLCanvasElement | null} what stays while the film plays */
    this.still = null;
    /** @type {[[number, number], [number, number]] | null} of both components */
    this.ranges = null;
  }
  /** Another film: other chains. */
  forget() {
    this.still = this.ranges = null;
  }
  /**
   * Where a point of the plane lies on the canvas; the same scale along both axes.
   * @returns {(x: number, y: number) => [number, number]}
   */
  scale() {
    const { film } = this.player;
    const { map_points, map_path } = film.a;
    this.ranges ??= /** @type {[[number, number], [number, number]]} */ (
      [0, 1].map((axis) => {
        const known = [...map_points, ...map_path.subarray(2 * film.n_chains)]; // starts may lie far off
        return extent(known.filter((_, i) => i % 2 === axis));
      })
    );
    const [[x0, x1], [y0, y1]] = this.ranges;
    const { clientWidth: w, clientHeight: h } = this.canvas;
    const s = Math.min((w - AROUND) / Math.max(x1 - x0, 1e-6), (h - AROUND) / Math.max(y1 - y0, 1e-6));
    return (x, y) => [w / 2 + (x - (x0 + x1) / 2) * s, h / 2 - (y - (y0 + y1) / 2) * s];
  }
  /**
   * Where a chain is after t sweeps.
   * @param {ReturnType<HiddenMap["scale"]>} at
   * @param {number} t
   * @param {number} chain
   */
  spot(at, t, chain) {
    const { n_chains, a } = this.player.film;
    const i = 2 * (t * n_chains + chain);
    return at(a.map_path[i], a.map_path[i + 1]);
  }

  paint() {
    const { canvas, player } = this;
    const dpr = pixelRatio();
    const w = Math.round(canvas.clientWidth * dpr);
    const h = Math.round(canvas.clientHeight * dpr);
    if (!w || !h) return;
    if (canvas.width !== w || canvas.height !== h) {
      Object.assign(canvas, { width: w, height: h });
      this.still = null;
    }
    const c = context(canvas);
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.clearRect(0, 0, w, h);
    if (!player.film.map) return;
    const at = this.scale();
    this.still ??= this.drawStill(at);
    c.drawImage(this.still, 0, 0);
    c.scale(dpr, dpr);
    this.paintChains(c, at);
  }
  /**
   * Every chain as a dot, and the chosen ones with the way that they came.
   * @param {CanvasRenderingContext2D} c
   * @param {ReturnType<HiddenMap["scale"]>} at
   */
  paintChains(c, at) {
    const { player } = this;
    const { film, look } = player;
    const t = player.frame >> 1;
    const several = film.groups.length > 1;
    for (let k = 0; k < film.n_chains; k++) {
      c.fillStyle = css(several ? player.colourOf(k) : look.text, 0.75);
      dot(c, ...this.spot(at, t, k), 3);
    }
    for (const k of player.twins()) {
      c.lineJoin = "round";
      c.lineWidth = 1.8;
      for (let s = Math.max(1, t - TRAIL); s <= t; s++) {
        c.strokeStyle = css(player.colourOf(k), 0.15 + 0.85 * (1 - (t - s) / TRAIL));
        segment(c, ...this.spot(at, s - 1, k), ...this.spot(at, s, k));
      }
      c.fillStyle = css(player.colourOf(k));
      c.strokeStyle = css(look.paper);
      c.lineWidth = 2;
      dot(c, ...this.spot(at, t, k), 6);
      c.stroke();
    }
  }
  /**
   * The training images, as their digits, and what the axes are.
   * @param {ReturnType<HiddenMap["scale"]>} at
   */
  drawStill(at) {
    const { film, look, ink, rem } = this.player;
    const { map_labels, map_points } = film.a;
    const still = newCanvas(this.canvas.width, this.canvas.height);
    const c = context(still);
    c.scale(pixelRatio(), pixelRatio());
    c.textAlign = "center";
    c.textBaseline = "middle";
    c.font = `600 ${0.62 * rem}px ${look.font}`;
    const inks = DIGITS.map((name) => rgbOf(ink.lines[name]));
    for (const [i, label] of map_labels.entries()) {
      c.fillStyle = css(inks[label] ?? look.text, 0.5);
      c.fillText(label < 10 ? String(label) : "·", ...at(map_points[2 * i], map_points[2 * i + 1]));
    }
    c.fillStyle = css(look.text, 0.62);
    c.font = `${0.7 * rem}px ${look.font}`;
    const { clientWidth: w, clientHeight: h } = this.canvas;
    c.textAlign = "right";
    c.fillText("1st principal component →", w - 0.5 * rem, h - 0.7 * rem);
    c.textAlign = "left";
    c.fillText("↑ 2nd principal component", 0.5 * rem, 0.8 * rem);
    return still;
  }

  /**
   * The chain that the pointer is at.
   * @param {MouseEvent} e
   */
  chainAt(e) {
    const { film, frame } = this.player;
    if (!film.map) return null;
    const at = this.scale();
    const [px, py] = spotOf(e, this.canvas);
    let chain = null;
    let best = NEAR;
    for (let k = 0; k < film.n_chains; k++) {
      const [x, y] = this.spot(at, frame >> 1, k);
      const d = Math.hypot(x - px, y - py);
      if (d < best) [best, chain] = [d, k];
    }
    return chain;
  }
  /** @param {PointerEvent} e */
  hover(e) {
    const { player } = this;
    const chain = this.chainAt(e);
    player.setHover(chain);
    if (chain === null) player.tip.hide();
    else
      player.tip.show(e, `${nameOf(player.film, chain)}, sweep ${player.frame >> 1}\nclick to see it large`);
  }
}
