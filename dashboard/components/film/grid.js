// All chains side by side.

import { context, newCanvas, pixelRatio, spotOf } from "../lib/canvas.js";
import { css } from "../lib/colour.js";
import { el, find, findCanvas } from "../lib/dom.js";
import { cornerOf } from "./layout.js";
import { tableOf } from "./look.js";
import { nameOf, number } from "./narration.js";

/** @typedef {import("./player.js").Player} Player */

/** The grid of a player. */
export class ChainGrid {
  /** @type {import("./layout.js").Grid} */
  plan;

  /** @param {Player} player */
  constructor(player) {
    this.player = player;
    this.canvas = findCanvas(player.box, ".grid");
    this.labels = find(player.box, ".labels");
    this.large = newCanvas();
  }
  /** @param {number} chain */
  cornerOf(chain) {
    return cornerOf(this.plan, this.player.film.per, chain);
  }
  /** The groups' names, where there are several. */
  name() {
    const { groups } = this.player.film;
    const names = groups.length > 1 ? groups : [];
    this.labels.replaceChildren(...names.map((name) => el("span", { title: name }, name)));
  }
  placeNames() {
    const { places, wide, band, width } = this.plan;
    const scale = this.canvas.clientWidth / width;
    for (const [k, { x, y }] of places.entries()) {
      const span = this.labels.children[k];
      if (!(span instanceof HTMLElement)) return;
      const [left, top] = [`${x * scale}px`, `${y * scale}px`];
      Object.assign(span.style, { left, top, width: `${wide * scale}px`, height: `${band * scale}px` });
    }
  }

  paint() {
    const { canvas } = this;
    const { width, height } = this.plan;
    this.paintCells();
    const c = context(canvas);
    c.clearRect(0, 0, canvas.width, canvas.height);
    // Blown up to whole pixels first, then smoothed down: every cell comes out equally wide.
    const up = Math.ceil(canvas.width / width);
    const l = context(this.large);
    if (this.large.width !== width * up || this.large.height !== height * up) {
      Object.assign(this.large, { width: width * up, height: height * up });
    }
    l.imageSmoothingEnabled = false;
    l.clearRect(0, 0, width * up, height * up);
    l.drawImage(this.player.boards.shown("grid"), 0, 0, width * up, height * up);
    c.imageSmoothingQuality = "high";
    c.drawImage(this.large, 0, 0, canvas.width, canvas.height);
    this.paintFrames(c);
  }
  paintCells() {
    const { film, shades, layer, frame, boards, look } = this.player;
    const table = tableOf(look, layer);
    const { width, height, w, h } = this.plan;
    const strip = film.tableOf(layer) !== null; // one row, drawn h pixels high
    const { pixels } = boards.get("grid", width, height);
    pixels.fill(0);
    for (let k = 0; k < film.n_chains; k++) {
      const shown = shades.of(layer, frame, k);
      const [left, top] = this.cornerOf(k);
      let at = top * width + left;
      for (let y = 0, i = 0; y < h; y++, at += width) {
        if (strip) i = 0;
        for (let x = 0; x < w; x++, i++)
          pixels[at + x] = shown && i >= shown.length ? 0 : table[shown ? shown[i] : 0];
      }
    }
  }
  /**
   * Faint frames around all cells, the groups' colours, and strong frames around the chain hovered and the chosen ones.
   * @param {CanvasRenderingContext2D} c
   */
  paintFrames(c) {
    const { film, look, hovered } = this.player;
    const { places, wide, band, width, w, h } = this.plan;
    const scale = this.canvas.width / width;
    const dpr = pixelRatio();
    const add = (/** @type {number} */ k, /** @type {number} */ line) => {
      const [left, top] = this.cornerOf(k);
      c.rect(left * scale + line / 2, top * scale + line / 2, w * scale - line, h * scale - line);
    };
    const stroke = (
      /** @type {number[]} */ chains,
      /** @type {string} */ colour,
      /** @type {number} */ thick,
    ) => {
      c.beginPath();
      for (const k of chains) add(k, thick * dpr);
      c.strokeStyle = colour;
      c.lineWidth = thick * dpr;
      c.stroke();
    };
    stroke([...Array(film.n_chains).keys()], css(look.text, 0.16), 1);
    for (const [k, { x, y }] of band ? places.entries() : []) {
      c.fillStyle = css(look.groups[k]);
      c.fillRect(x * scale, (y + band) * scale - 5 * dpr, wide * scale, 3 * dpr);
    }
    if (hovered !== null) stroke([hovered], css(look.mine, 0.7), 2);
    for (const k of this.player.twins()) stroke([k], css(this.player.colourOf(k)), 3);
  }

  /** @param {MouseEvent} e */
  chainAt(e) {
    const { width, w, h, gap } = this.plan;
    const [x, y] = spotOf(e, this.canvas, this.canvas.getBoundingClientRect().width / width);
    for (let k = 0; k < this.player.film.n_chains; k++) {
      const [left, top] = this.cornerOf(k);
      if (x >= left && x < left + w + gap && y >= top && y < top + h + gap) return k;
    }
    return null;
  }
  /** @param {PointerEvent} e */
  hover(e) {
    const { player } = this;
    const k = this.chainAt(e);
    if (k === null) {
      player.hoverNothing();
      return;
    }
    const { film } = player;
    const t = player.frame >> 1;
    player.setHover(k);
    const energy = `${nameOf(film, k)}: F(v) = ${number(film.value("energy", t, k), 1)} nats`;
    const distance = `${film.value("distance", t, k)} pixels from ${film.reference}`;
    player.tip.show(e, `${energy}\n${distance}\nclick to see it large`);
  }
  /**
   * The chain beside the chosen one, in its group, that an arrow key leads to.
   * @param {string} key
   */
  chainBeside(key) {
    const { film, chain } = this.player;
    /** @type {Record<string, number>} */
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.plan.columns, ArrowDown: this.plan.columns };
    const first = film.groupOf(chain) * film.per;
    const to = chain - first + steps[key];
    return to >= 0 && to < film.per ? first + to : chain;
  }
}
