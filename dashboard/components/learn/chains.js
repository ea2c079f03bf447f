// The chains of an update: one of them half step by half step, of the others start and end. The exact method has no
// chains: the likeliest pictures stand in their place.

import { find, findCanvas } from "../lib/dom.js";
import { clamp } from "../lib/numbers.js";
import { calm } from "../lib/playback.js";

const SHOWN = 12; // of the likeliest pictures
const HEAD = 15; // above the pictures, for words
const STAGE = 2; // of an update, in which the chains run
const ARROWS = 22; // units for the arrows of a sweep
const REVEAL_FOR = 1800; // ms, all half steps together

/**
 * 1 sweep, 2 sweeps, 1,000 sweeps.
 * @param {number} n
 * @param {string} thing
 */
export const times = (n, thing) => `${n.toLocaleString("en-US")} ${thing}${n === 1 ? "" : "s"}`;

/** The card of the chains. */
export class Chains {
  /** @param {import("./update.js").Update} update */
  constructor(update) {
    this.update = update;
    this.view = update.view;
    this.card = update.cards.chain;
    this.canvas = findCanvas(this.card);
    /** How many half steps are drawn while the chains run. */
    this.revealed = 0;
    this.revealing = 0;
  }
  /** @param {number} at the update */
  paint(at) {
    if (this.view.h.sweeps) this.paintChains(at);
    else this.paintLikeliest(at);
  }
  /**
   * @param {string} title
   * @param {string} note
   */
  write(title, note) {
    find(this.card, ".name").textContent = title;
    this.update.note("chain", note);
  }
  /** @param {number} at */
  paintLikeliest(at) {
    const { h, a, pen } = this.view;
    const { cell, wide, high } = this.update.small;
    const rbm = this.view.rbm(at);
    const best = rbm.likeliest(SHOWN);
    const many = h.n_visible <= 4 ? 2 : 4;
    const [across, down] = [Math.max(wide + 8, 44), high + 20];
    const ctx = pen.sheet(this.canvas, many * across, Math.ceil(best.length / many) * down);
    for (const [k, v] of best.entries()) {
      const x = (k % many) * across + (across - wide) / 2;
      const y = Math.floor(k / many) * down;
      pen.picture(ctx, v, x, y, cell);
      const p = `${(100 * Math.exp(-rbm.freeEnergy(v) - a.log_z[at])).toFixed(1)} %`;
      pen.text(ctx, p, x + wide / 2, y + high + 13, { align: "center", size: 11 });
    }
    this.write("All pictures", h.n_visible <= 4 ? "each with its p(v)" : "the likeliest, each with its p(v)");
  }
  /** How many half steps of the chain are drawn. */
  get full() {
    const all = 2 * this.view.h.sweeps;
    if (calm() || this.update.stage > STAGE) return all;
    return this.update.stage === STAGE ? Math.min(this.revealed, all) : 0;
  }
  /**
   * The picture of a chain after t sweeps of an update.
   * @param {number} at
   * @param {number} t
   * @param {number} chain
   */
  v(at, t, chain) {
    const { a, h } = this.view;
    const n = a.starts.shape[1];
    return t === 0 ? a.starts[at * n + chain] : a.v_path[(at * h.sweeps + t - 1) * n + chain];
  }
  /** @param {number} at */
  paintChains(at) {
    const { h, a, pen } = this.view;
    const { full } = this;
    const { wide, high } = this.update.small;
    const n = a.starts.shape[1];
    const k = h.sweeps;
    const { hidden } = this;
    const unit = wide + hidden.wide + ARROWS;
    const per = k > 1 ? clamp(Math.floor(330 / unit), 2, 4) : 1; // sweeps a line
    const line = Math.max(high, hidden.high) + 8;
    const block = HEAD + Math.ceil(k / per) * line;
    const columns = k > 1 ? 4 : Math.min(3, n);
    const pair = 2 * wide + 26;
    const width = Math.max(wide + 12 + per * unit, columns * pair);
    const ctx = pen.sheet(this.canvas, width, block + HEAD + Math.ceil((n - 1) / columns) * (high + 7));
    pen.text(ctx, "one chain: v → h → v …", 0, 10, { size: 11 });
    this.paintOne(ctx, at, n - 1, per, line);
    if (full >= 2 * k) {
      pen.text(ctx, "the others: start → end", 0, block + 11, { size: 11 });
      for (let c = 0; c < n - 1; c++) {
        const y = block + HEAD + Math.floor(c / columns) * (high + 7);
        this.paintPair(ctx, at, c, (c % columns) * pair, y);
      }
    }
    this.write("Chains", `${times(k, "sweep")}, ${h.chains[0]} chains`);
    this.canvas.setAttribute("aria-label", `${n} of ${h.chains[0]} chains over ${times(k, "sweep")}`);
    if (this.update.stage === STAGE && full < 2 * k) this.revealNext(k);
  }
  /** How the hidden units are drawn beside a small picture. */
  get hidden() {
    const layout = this.view.hiddenLayout();
    const cell = Math.max(3, Math.floor(this.update.small.cell * 0.75));
    return { layout, cell, wide: layout.shape[1] * cell, high: layout.shape[0] * cell };
  }
  /**
   * One chain with every half step that is revealed.
   * @param {CanvasRenderingContext2D} ctx
   * @param {number} at
   * @param {number} chain
   * @param {number} per sweeps a line
   * @param {number} line units from one line to the next
   */
  paintOne(ctx, at, chain, per, line) {
    const { h, a, pen } = this.view;
    const { cell, wide, high } = this.update.small;
    const { full, hidden } = this;
    const n = a.starts.shape[1];
    const k = h.sweeps;
    const unit = wide + hidden.wide + ARROWS;
    const arrow = (/** @type {number} */ x, /** @type {number} */ y) =>
      pen.text(ctx, "→", x, y + high / 2 + 4, { align: "center", size: 11 });
    for (let t = 0; t <= k; t++) {
      const row = Math.floor(t / per);
      const y = HEAD + row * line;
      const x = (t - row * per) * unit;
      if (t > 0 && t % per === 0) {
        // The end of a line; the next begins with dots in place of the picture.
        if (2 * t <= full)
          pen.picture(ctx, this.v(at, t, chain), per * unit, y - line, cell, this.endLook(t));
        if (t < k) pen.text(ctx, "…", wide / 2, y + high / 2 + 3, { align: "center" });
      } else if (2 * t <= full) pen.picture(ctx, this.v(at, t, chain), x, y, cell, this.endLook(t));
      if (t === k || 2 * t + 1 > full) continue;
      arrow(x + wide + 5.5, y);
      const state = a.h_path[(at * k + t) * n + chain];
      const look = { layout: hidden.layout, on: pen.line("exact") };
      pen.picture(ctx, state, x + wide + 11, y + (high - hidden.high) / 2, hidden.cell, look);
      arrow(x + wide + 16.5 + hidden.wide, y);
    }
  }
  /**
   * The picture in which a chain ends has the chain's colour.
   * @param {number} t
   */
  endLook(t) {
    return t === this.view.h.sweeps ? { on: this.view.pen.colour.chain } : {};
  }
  /**
   * Start and end of a chain.
   * @param {CanvasRenderingContext2D} ctx
   * @param {number} at
   * @param {number} chain
   * @param {number} x
   * @param {number} y
   */
  paintPair(ctx, at, chain, x, y) {
    const { h, pen } = this.view;
    const { cell, wide, high } = this.update.small;
    pen.picture(ctx, this.v(at, 0, chain), x, y, cell);
    pen.text(ctx, "→", x + wide + 7, y + high / 2 + 4, { align: "center", size: 11 });
    pen.picture(ctx, this.v(at, h.sweeps, chain), x + wide + 14, y, cell, { on: pen.colour.chain });
  }
  /** @param {number} k sweeps */
  revealNext(k) {
    clearTimeout(this.revealing);
    const wait = clamp(REVEAL_FOR / (2 * k), 90, 500);
    this.revealing = setTimeout(() => {
      if (this.update.stage !== STAGE) return;
      this.revealed += 1;
      this.view.draw();
    }, wait);
  }
}
