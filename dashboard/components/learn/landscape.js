// The free energy of every picture as a landscape, and a Gibbs chain that walks in it.

import { context, dot, newCanvas, segment } from "../lib/canvas.js";
import { colourTable } from "../lib/colour.js";
import { find, findCanvas } from "../lib/dom.js";
import { clamp, extent, fixed, pretty, ticks } from "../lib/numbers.js";
import { probabilityTable } from "./tables.js";

const PAUSE = "M6 5h4v14H6zM14 5h4v14h-4z";
const PLAY = "M7 4.5v15L19.5 12z";
const HALF_STEP_FOR = 180; // ms
const SMALL = 4; // pixels up to which every picture is drawn on the map
const DEEPEST = 12; // nats that the colours span at most
const TRAIL = 16; // half steps
// Sorting 65,536 numbers takes longer than all else: while learning plays, that chart is drawn less often.
const SORTED_EVERY = 200; // ms
const LEFT = 40; // of the sorted chart
const BOTTOM = 20;
const HEIGHT = 120;

/** The view "Energy landscape". */
export class Landscape {
  /** @param {import("./learn.js").Learn} view */
  constructor(view) {
    this.view = view;
    this.panel = view.panels.landscape;
    this.map = find(this.panel, ".map");
    this.mapCanvas = findCanvas(this.map);
    this.sortCanvas = findCanvas(this.panel, "canvas.sorted");
    const [v, h] = this.panel.querySelectorAll(".walker > div");
    this.walkers = [v, h].map((box) => ({ name: find(box, ".name"), canvas: findCanvas(box) }));
    this.board = newCanvas();
    /** F of every picture, nats. */
    this.F = new Float32Array();
    /** @type {Float32Array | null} the same, ascending */
    this.sorted = null;
    this.sortedAt = 0;
    /** @type {number[]} the chain's states, half step by half step */
    this.path = [];
    /** What F and path were worked out for. */
    this.of = "";
    /** The half step that the chain stands at. */
    this.hop = 0;
    this.walking = false;
    /** Units a picture on the map. */
    this.cell = 1;
    this.mapCanvas.onpointermove = (e) => this.hover(e);
    this.mapCanvas.onpointerleave = () => view.hush();
  }
  get lastHop() {
    return 2 * this.view.a.chance.shape[0];
  }
  /** @param {number} hop */
  hopTo(hop) {
    this.walking = false;
    this.hop = clamp(hop, 0, this.lastHop);
    this.view.draw();
  }
  toggle() {
    this.walking = !this.walking;
    if (this.walking) this.walk();
    this.view.draw();
  }
  walk() {
    if (this.hop >= this.lastHop) this.hop = 0;
    let before = performance.now();
    const tick = (/** @type {number} */ now) => {
      this.walking &&= this.view.box.isConnected && this.view.view === "landscape";
      if (!this.walking) return;
      if (now - before > HALF_STEP_FOR) {
        before = now;
        this.hop = Math.min(this.lastHop, this.hop + 1);
        this.walking = this.hop < this.lastHop;
        this.view.draw();
      }
      if (this.walking) requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }
  /** Works out the landscape and the chain in it, where they are of another update or another training. */
  workOut() {
    const { h, a, at, version } = this.view;
    const of = `${version} ${at}`;
    if (this.of === of) return;
    this.of = of;
    const rbm = this.view.rbm();
    this.F = rbm.freeEnergies();
    this.sorted = null;
    this.path = rbm.walk(h.walk_start, a.chance, a.chance.shape[0]);
  }
  /** The chain's picture and hidden units at the half step; null: not drawn yet. */
  get state() {
    const { hop, path } = this;
    const v = hop % 2 ? path[hop - 1] : path[hop];
    return { v, h: hop ? path[hop % 2 ? hop : hop - 1] : null };
  }
  /**
   * p(v) of a picture.
   * @param {number} v
   */
  p(v) {
    return Math.exp(-this.F[v] - this.view.a.log_z[this.view.at]);
  }

  paint() {
    const { view } = this;
    this.workOut();
    this.paintMap();
    this.paintWalker();
    this.writeMap();
    const { v } = this.state;
    Object.assign(view.box.dataset, { chainState: v, free: this.F[v].toFixed(5) });
    const now = performance.now();
    if (view.playing && view.h.n_visible > 9 && now - this.sortedAt < SORTED_EVERY) return;
    if (!this.sorted) {
      this.sorted = Float32Array.from(this.F).sort();
      this.sortedAt = now;
    }
    this.paintSorted(this.sorted, v);
  }
  paintMap() {
    const { view } = this;
    const { h, a, pen, plane } = view;
    const { rows, columns } = plane;
    const width = pen.wide(view.box);
    const room = width > 640 ? width * 0.56 : width;
    const small = h.n_visible <= SMALL;
    const cell = Math.min(small ? 140 : 1e9, room / columns, clamp(view.room - 156, 200, 520) / rows);
    this.cell = cell;
    const [w, tall] = [Math.round(columns * cell), Math.round(rows * cell)];
    this.map.style.width = `${Math.max(300, w) * pen.em}px`;
    const ctx = pen.sheet(this.mapCanvas, w, tall + 30);
    const [floor, ceiling] = extent(this.F);
    const span = clamp(ceiling - floor, 1, DEEPEST);
    const depth = (/** @type {number} */ v) => 1 - (this.F[v] - floor) / span;
    this.paintDepths(depth);
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(this.board, 0, 0, w, tall);
    ctx.strokeStyle = pen.ink.line;
    ctx.strokeRect(0.5, 0.5, w - 1, tall - 1);
    if (small) for (let v = 0; v < 1 << h.n_visible; v++) this.paintPlace(ctx, v, depth(v) > 0.5);
    ctx.strokeStyle = pen.colour.data;
    ctx.lineWidth = 2;
    for (const v of small ? [] : a.patterns) {
      ctx.beginPath();
      ctx.arc(...this.centre(v), Math.max(4.5, Math.min(cell * 0.55, 9)), 0, 7);
      ctx.stroke();
    }
    this.paintTrail(ctx, small);
    const rare = `+${span.toFixed(1)} nats: rare`;
    pen.ramp(ctx, tall + 10, Math.min(150, w - 190), [...pen.depth].reverse(), "lowest F: likely", rare);
  }
  /** @param {(v: number) => number} depth of a picture, 1 at the likeliest */
  paintDepths(depth) {
    const { plane, pen } = this.view;
    const { rows, columns } = plane;
    if (this.board.width !== columns || this.board.height !== rows)
      Object.assign(this.board, { width: columns, height: rows });
    const table = colourTable(pen.depth);
    const image = new ImageData(columns, rows);
    const pixels = new Uint32Array(image.data.buffer);
    for (let k = 0; k < pixels.length; k++)
      pixels[k] = table[Math.round(255 * clamp(depth(plane.states[k]), 0, 1))];
    context(this.board).putImageData(image, 0, 0);
  }
  /**
   * The middle of a picture's place on the map.
   * @param {number} v
   * @returns {[number, number]}
   */
  centre(v) {
    const [row, column] = this.view.plane.placeOf(v);
    return [(column + 0.5) * this.cell, (row + 0.5) * this.cell];
  }
  /**
   * A picture on its place, with its free energy and probability.
   * @param {CanvasRenderingContext2D} ctx
   * @param {number} v
   * @param {boolean} deep
   */
  paintPlace(ctx, v, deep) {
    const { pen } = this.view;
    const [x, y] = this.centre(v);
    const s = 26;
    ctx.fillStyle = pen.ink.paper;
    ctx.fillRect(x - s - 3, y - s / 2 - 29, 2 * s + 6, s + 6);
    pen.picture(ctx, v, x - s, y - s / 2 - 26, s);
    const colour = deep !== pen.dark ? "#fff" : "#111";
    const look = { align: /** @type {const} */ ("center"), alpha: 1, size: 13, colour };
    pen.text(ctx, `F = ${fixed(this.F[v], 2)}`, x, y + 12, { ...look, weight: 600 });
    pen.text(ctx, `p = ${(100 * this.p(v)).toFixed(1)} %`, x, y + 30, look);
  }
  /**
   * The chain, and the way that it came.
   * @param {CanvasRenderingContext2D} ctx
   * @param {boolean} small
   */
  paintTrail(ctx, small) {
    const { pen } = this.view;
    const stand = (/** @type {number} */ v) => {
      const [x, y] = this.centre(v);
      return /** @type {[number, number]} */ (small ? [x + this.cell * 0.4, y - 26] : [x, y]);
    };
    const { hop } = this;
    const trail = [];
    for (let t = Math.max(0, hop - (hop % 2) - TRAIL); t <= hop; t += 2) trail.push(stand(this.path[t]));
    ctx.lineWidth = 2;
    ctx.strokeStyle = pen.colour.chain;
    for (let k = 1; k < trail.length; k++) {
      ctx.globalAlpha = 0.15 + (0.7 * k) / trail.length;
      segment(ctx, ...trail[k - 1], ...trail[k]);
    }
    ctx.globalAlpha = 1;
    ctx.fillStyle = pen.colour.chain;
    ctx.strokeStyle = pen.ink.paper;
    dot(ctx, ...stand(this.state.v), 7);
    ctx.stroke();
    ctx.lineWidth = 1;
  }
  writeMap() {
    const V = this.view.h.n_visible;
    const all = (1 << V).toLocaleString("en-US");
    find(this.map, ".note").textContent =
      V <= SMALL
        ? "Neighbours differ by one pixel. Low free energy means a likely picture: each nat lower makes it e ≈ 2.7 times likelier."
        : `All ${all} pictures. One step across or down changes one pixel (Gray code): down the first ${Math.floor(V / 2)} pixels, across the last ${Math.ceil(V / 2)}. Hover to see a picture.`;
    const label = `Free energy of all ${1 << V} pictures; the chain is at picture ${this.state.v}`;
    this.mapCanvas.setAttribute("aria-label", label);
  }
  /** The chain's two layers, which half step was drawn, and what it has met so far. */
  paintWalker() {
    const { h, a, pen } = this.view;
    const { hop, walking } = this;
    const { v, h: hidden } = this.state;
    const button = find(this.panel, ".hop");
    find(button, "path", SVGElement).setAttribute("d", walking ? PAUSE : PLAY);
    find(button, "span").textContent = walking ? "Pause" : "Walk";
    const sweeps = a.chance.shape[0];
    find(this.panel, ".count").textContent =
      hop === 0
        ? `start · 0 of ${sweeps} sweeps`
        : `sweep ${(hop + 1) >> 1} of ${sweeps} · ${hop % 2 ? "h drawn from v" : "v drawn from h"}`;
    const cell = h.n_visible <= 4 ? 30 : h.n_visible <= 9 ? 20 : 15;
    const [pixels, units] = this.walkers;
    const draw = (
      /** @type {HTMLCanvasElement} */ canvas,
      /** @type {number} */ state,
      /** @type {import("../lib/pen.js").Layout} */ layout,
      /** @type {string} */ on,
    ) => {
      const [rows, columns] = layout.shape;
      pen.picture(pen.sheet(canvas, columns * cell, rows * cell), state, 0, 0, cell, { layout, on });
    };
    draw(pixels.canvas, v, pen.visible, pen.colour.chain);
    draw(units.canvas, hidden ?? 0, this.view.hiddenLayout(), pen.colour.model);
    pixels.name.classList.toggle("lit", hop > 0 && hop % 2 === 0);
    units.name.classList.toggle("lit", hop % 2 === 1);
    const known = new Set(a.patterns);
    const met = new Set(this.path.slice(0, hop + 1).filter((state, t) => t % 2 === 0 && known.has(state)));
    const here = `Here F = ${fixed(this.F[v], 3)} nats, p(v) = ${pretty(100 * this.p(v), 2)} %.`;
    find(this.panel, ".met").textContent =
      `${here} The chain has met ${met.size} of the data's ${a.patterns.length} pictures.`;
  }
  /**
   * All free energies in order, those of the data ringed, the chain's filled.
   * @param {Float32Array} sorted
   * @param {number} v
   */
  paintSorted(sorted, v) {
    const { a, pen } = this.view;
    const n = sorted.length;
    const width = pen.wide(/** @type {Element} */ (this.sortCanvas.parentElement));
    const ctx = pen.sheet(this.sortCanvas, width, HEIGHT);
    const floor = sorted[0];
    const top = clamp(sorted[n - 1] - floor, 1, 24) * 1.08;
    const x = (/** @type {number} */ k) => LEFT + 6 + (Math.log(k + 1) / Math.log(n)) * (width - LEFT - 14);
    const y = (/** @type {number} */ F) => 8 + (1 - clamp((F - floor) / top, 0, 1)) * (HEIGHT - BOTTOM - 12);
    ctx.strokeStyle = pen.ink.line;
    for (const d of ticks(0, top, 3)) {
      segment(ctx, LEFT, y(floor + d), width, y(floor + d));
      const words = d ? `+${Number(d.toPrecision(3))}` : "0";
      pen.text(ctx, words, LEFT - 5, y(floor + d) + 4, { align: "right", size: 11 });
    }
    ctx.strokeStyle = pen.colour.model;
    ctx.lineWidth = 2;
    ctx.beginPath();
    for (let k = 0; k < n; k = k < 200 ? k + 1 : Math.ceil(k * 1.01)) ctx.lineTo(x(k), y(sorted[k]));
    ctx.lineTo(x(n - 1), y(sorted[n - 1]));
    ctx.stroke();
    ctx.strokeStyle = pen.colour.data;
    /** @type {Map<number, number>} how many pictures of the data share a place */
    const used = new Map();
    for (const state of a.patterns) {
      const place = rank(sorted, this.F[state]);
      const before = used.get(place) ?? 0;
      used.set(place, before + 1);
      ctx.beginPath();
      ctx.arc(x(Math.min(place + before, n - 1)), y(this.F[state]), 4.5, 0, 7);
      ctx.stroke();
    }
    ctx.fillStyle = pen.colour.chain;
    dot(ctx, x(rank(sorted, this.F[v])), y(this.F[v]), 6);
    ctx.lineWidth = 1;
    for (const k of [...[1, 10, 100, 1000, 10000].filter((k) => k < n * 0.7), n]) {
      const align = k === n ? "right" : "center";
      pen.text(ctx, k.toLocaleString("en-US"), x(k - 1), HEIGHT - 4, { align, size: 11 });
    }
    const label = "Free energies of all pictures, sorted; those of the data are ringed";
    this.sortCanvas.setAttribute("aria-label", label);
  }
  /** @param {PointerEvent} e */
  hover(e) {
    const { pen, plane, a } = this.view;
    const [column, row] = pen.spotOf(e, this.mapCanvas).map((x) => Math.floor(x / this.cell));
    if (row < 0 || column < 0 || row >= plane.rows || column >= plane.columns) {
      this.view.hush();
      return;
    }
    const v = plane.stateAt(row, column);
    const known = a.patterns.includes(v) ? "in the data" : "never in the data";
    const p = pretty(100 * this.p(v), 2);
    this.view.tell(e, v, `F = ${fixed(this.F[v], 3)} nats\np(v) = ${p} %\n${known}`);
  }

  picture() {
    const { colour } = this.view.pen;
    /** @type {[string, string][]} */
    const legend = [
      [colour.data, "in the data"],
      [colour.chain, "the chain"],
    ];
    const walkers = this.walkers.map(({ name, canvas }) => ({ canvas, name: name.textContent }));
    const sorted = {
      canvas: this.sortCanvas,
      name: "The same pictures, likeliest first: nats above the likeliest",
    };
    const note = find(this.map, ".note").textContent;
    const rows = [[{ canvas: this.mapCanvas }], walkers, [sorted]];
    return { title: "Every picture and its free energy", note, legend, rows };
  }
  table() {
    return probabilityTable(this.view);
  }
}

/**
 * How many numbers of an ascending row are below x, but at most its last place.
 * @param {Float32Array} sorted
 * @param {number} x
 */
function rank(sorted, x) {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < x) low = middle + 1;
    else high = middle;
  }
  return low;
}
