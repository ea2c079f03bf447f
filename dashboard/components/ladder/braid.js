// The ladder: each replica a line through the rounds, its picture at the rung where it stands, exchanges lit.

import { dot, segment, sharpen, spotOf, textScale } from "../lib/canvas.js";
import { css, hexRgb } from "../lib/colour.js";
import { clamp } from "../lib/numbers.js";
import { rungName } from "./narration.js";
import { Stamp } from "./strips.js";

const TOP = 16;
const NAMES = 54; // room for the rungs' names
const RATES = 84; // room for the pairs' acceptance
const GAP = 4;

/** Where everything lies, in units of the reader's text size. */
export class Braid {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.stamp = new Stamp();
    /** @type {number | null} the replica that is followed; null: the one at the last rung */
    this.followed = null;
  }
  /** @param {import("./ladder.js").Ladder} view */
  layout({ film, braidWidth, narrow }) {
    const scale = textScale();
    const wide = braidWidth / scale;
    const pitch = clamp((narrow ? 460 : 540) / film.K, 9, 34);
    const columns = clamp(Math.ceil((narrow ? 40 : 56) / pitch), 2, 7);
    const side = Math.min(narrow ? 40 : 62, columns * pitch - GAP);
    const names = narrow ? 52 : NAMES;
    const rates = narrow ? 48 : RATES;
    const pictures = wide - rates - columns * (side + GAP);
    const step = narrow ? 8 : 11;
    const y = (/** @type {number} */ rung) => TOP + side / 4 + (film.K - 0.5 - rung) * pitch;
    const height = Math.ceil(y(0) + Math.max(pitch, side) / 2 + 2); // the lowest picture with its frame
    return {
      scale,
      wide,
      height,
      pitch,
      columns,
      side,
      names,
      rates,
      pictures,
      right: pictures - 14,
      step,
      y,
    };
  }
  /** @param {import("./ladder.js").Ladder} view */
  paint(view) {
    const { film, frame, ink, colours } = view;
    const at = this.layout(view);
    const ctx = sharpen(this.canvas, at.wide, at.height, at.scale);
    this.paintRungs(ctx, view, at);
    const top = this.followed ?? film.replicaAt(frame, film.K - 1);
    ctx.save();
    ctx.beginPath();
    ctx.rect(at.names, 0, at.pictures - at.names, at.height);
    ctx.clip();
    ctx.lineJoin = "round";
    for (let replica = 0; replica < film.K; replica++)
      if (replica !== top) this.line(ctx, view, at, replica, 1.5, 0.6);
    this.line(ctx, view, at, top, 6, 0.25);
    this.line(ctx, view, at, top, 3.2, 1);
    this.flash(ctx, view, at);
    ctx.restore();
    for (let rung = 0; rung < film.K; rung++) {
      ctx.fillStyle = colours[film.replicaAt(frame, rung)];
      dot(ctx, at.right, at.y(rung), clamp(at.pitch / 5, 2.5, 5));
    }
    this.paintPictures(ctx, view, at);
    this.paintRates(ctx, view, at);
    ctx.fillStyle = ink.text;
  }
  /**
   * @param {CanvasRenderingContext2D} ctx
   * @param {import("./ladder.js").Ladder} view
   * @param {ReturnType<Braid["layout"]>} at
   */
  paintRungs(ctx, { film, ink }, at) {
    ctx.font = `11px ${ink.font}`;
    ctx.textBaseline = "middle";
    ctx.textAlign = "right";
    ctx.strokeStyle = ink.line;
    ctx.lineWidth = 0.5;
    const every = Math.ceil(13 / at.pitch);
    for (let rung = 0; rung < film.K; rung++) {
      segment(ctx, at.names, at.y(rung), at.right, at.y(rung));
      if (rung !== film.K - 1 && (rung % every || film.K - 1 - rung < every)) continue;
      ctx.fillStyle = ink.text;
      ctx.globalAlpha = film.rungs[rung].share ? 0.6 : 1;
      ctx.fillText(rungName(film.rungs[rung]), at.names - 6, at.y(rung));
      ctx.globalAlpha = 1;
    }
    ctx.globalAlpha = 0.7;
    ctx.fillText("step", at.names - 6, 6);
    ctx.textAlign = "left";
    ctx.fillText("rounds →", at.names, 6);
    ctx.textAlign = "right";
    ctx.fillText("exchange", at.wide, 6);
    ctx.globalAlpha = 1;
  }
  /**
   * A replica's way through the rounds in sight. Within a round it stands still for the sweep, then changes rungs.
   * @param {CanvasRenderingContext2D} ctx
   * @param {import("./ladder.js").Ladder} view
   * @param {ReturnType<Braid["layout"]>} at
   * @param {number} replica
   * @param {number} width
   * @param {number} alpha
   */
  line(ctx, { film, frame, colours }, at, replica, width, alpha) {
    const now = frame / 2;
    const x = (/** @type {number} */ round) => at.right - (now - round) * at.step;
    const first = Math.max(0, Math.floor(now - (at.right - at.names) / at.step) - 1);
    ctx.beginPath();
    ctx.moveTo(x(first), at.y(film.rungOf(first, replica)));
    for (let r = first + 1; r <= film.roundOf(frame); r++) {
      const before = at.y(film.rungOf(r - 1, replica));
      ctx.lineTo(x(r - 0.5), before);
      if (r > now) break;
      const after = at.y(film.rungOf(r, replica));
      ctx.bezierCurveTo(x(r - 0.25), before, x(r - 0.25), after, x(r), after);
    }
    ctx.strokeStyle = colours[replica];
    ctx.globalAlpha = alpha;
    ctx.lineWidth = width;
    ctx.stroke();
    ctx.globalAlpha = 1;
  }
  /**
   * The exchanges of the frame: a light where a pair exchanged, a small cross where it did not.
   * @param {CanvasRenderingContext2D} ctx
   * @param {import("./ladder.js").Ladder} view
   * @param {ReturnType<Braid["layout"]>} at
   */
  flash(ctx, { film, frame, ink }, at) {
    const x = at.right - at.step / 4;
    for (let pair = 0; pair < film.K - 1; pair++) {
      const { asked, took } = film.pairAt(frame, pair);
      if (!asked) continue;
      const y = (at.y(pair) + at.y(pair + 1)) / 2;
      if (took) {
        const light = ctx.createRadialGradient(x, y, 0, x, y, at.pitch);
        light.addColorStop(0, css(hexRgb(ink.lines.orange), 0.9));
        light.addColorStop(1, css(hexRgb(ink.lines.orange), 0));
        ctx.fillStyle = light;
        dot(ctx, x, y, at.pitch);
      } else {
        ctx.strokeStyle = ink.text;
        ctx.globalAlpha = 0.45;
        ctx.lineWidth = 1;
        const r = Math.min(3, at.pitch / 6);
        segment(ctx, x - r, y - r, x + r, y + r);
        segment(ctx, x - r, y + r, x + r, y - r);
      }
      ctx.globalAlpha = 1;
    }
    for (const replica of this.movers(film, frame)) this.crossing(ctx, film, frame, at, replica);
  }
  /**
   * Replicas that changed rungs in the exchange of a frame.
   * @param {import("./record.js").Record} film
   * @param {number} frame
   */
  movers(film, frame) {
    const r = frame >> 1;
    if (!frame || frame % 2) return [];
    return film.rungs.map((_, replica) => replica).filter((o) => film.rungOf(r, o) !== film.rungOf(r - 1, o));
  }
  /**
   * The last stretch of a replica that changed rungs, bright.
   * @param {CanvasRenderingContext2D} ctx
   * @param {import("./record.js").Record} film
   * @param {number} frame
   * @param {ReturnType<Braid["layout"]>} at
   * @param {number} replica
   */
  crossing(ctx, film, frame, at, replica) {
    const [before, after] = [film.rungOf((frame >> 1) - 1, replica), film.rungOf(frame >> 1, replica)].map(
      at.y,
    );
    const [x0, xm, x1] = [at.right - at.step / 2, at.right - at.step / 4, at.right];
    ctx.beginPath();
    ctx.moveTo(x0, before);
    ctx.bezierCurveTo(xm, before, xm, after, x1, after);
    ctx.lineWidth = 3;
    ctx.strokeStyle = this.colours[replica];
    ctx.stroke();
  }
  /** @type {string[]} of the replicas */
  colours = [];
  /**
   * Each rung's picture, in columns that the rungs take in turn, so that all have room.
   * @param {CanvasRenderingContext2D} ctx
   * @param {import("./ladder.js").Ladder} view
   * @param {ReturnType<Braid["layout"]>} at
   */
  paintPictures(ctx, { film, frame, colours }, at) {
    const [rows, columns] = film.image_shape;
    const w = (at.side * columns) / Math.max(rows, columns);
    const h = (at.side * rows) / Math.max(rows, columns);
    const spot = (/** @type {number} */ rung) =>
      at.pictures + ((film.K - 1 - rung) % at.columns) * (at.side + GAP);
    for (let rung = 0; rung < film.K; rung++) {
      ctx.strokeStyle = colours[film.replicaAt(frame, rung)];
      ctx.lineWidth = 1;
      ctx.globalAlpha = 0.7;
      segment(ctx, at.right, at.y(rung), spot(rung), at.y(rung));
      ctx.globalAlpha = 1;
    }
    ctx.imageSmoothingEnabled = false;
    for (let rung = 0; rung < film.K; rung++) {
      const [x, y] = [spot(rung), at.y(rung) - h / 2];
      ctx.drawImage(this.stamp.of(film.picture(frame, rung), film.image_shape), x, y, w, h);
      ctx.strokeStyle = colours[film.replicaAt(frame, rung)];
      ctx.lineWidth = 2;
      ctx.strokeRect(x, y, w, h);
    }
  }
  /**
   * Beside each pair, how often it exchanges: the mean probability over the rounds so far.
   * @param {CanvasRenderingContext2D} ctx
   * @param {import("./ladder.js").Ladder} view
   * @param {ReturnType<Braid["layout"]>} at
   */
  paintRates(ctx, { film, frame, ink }, at) {
    const left = at.wide - at.rates + 6;
    const named = at.pitch >= 12;
    const room = at.rates - (named ? 36 : 8);
    ctx.font = `10px ${ink.font}`;
    ctx.textAlign = "right";
    for (let pair = 0; pair < film.K - 1; pair++) {
      const rate = film.acceptance(frame, pair);
      if (Number.isNaN(rate)) continue;
      const y = (at.y(pair) + at.y(pair + 1)) / 2;
      const { took } = film.pairAt(frame, pair);
      ctx.fillStyle = took ? ink.lines.orange : ink.text;
      ctx.globalAlpha = took ? 1 : 0.35;
      ctx.fillRect(left, y - 2, Math.max(1, rate * room), 4);
      ctx.fillStyle = ink.text;
      ctx.globalAlpha = 0.85;
      if (named) ctx.fillText(`${Math.round(100 * rate)} %`, at.wide, y);
      ctx.globalAlpha = 1;
    }
  }
  /**
   * The replica whose line or picture is nearest to the pointer.
   * @param {import("./ladder.js").Ladder} view
   * @param {MouseEvent} event
   */
  replicaNear(view, event) {
    const { film, frame } = view;
    const at = this.layout(view);
    const [x, y] = spotOf(event, this.canvas, at.scale);
    const rungs = film.rungs.map((_, rung) => rung);
    const rung = rungs.reduce((a, b) => (Math.abs(at.y(b) - y) < Math.abs(at.y(a) - y) ? b : a));
    const round = Math.round(frame / 2 - (at.right - Math.min(x, at.right)) / at.step);
    return film.replicaAt(2 * clamp(round, 0, frame >> 1), rung);
  }
}
