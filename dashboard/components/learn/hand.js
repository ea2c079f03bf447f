// Two tables for the machine of two pixels, to be checked with a pocket calculator: the energies of all states, and one
// update of the first weight.

import { segment } from "../lib/canvas.js";
import { find, findCanvas } from "../lib/dom.js";
import { fixed, sigmoid } from "../lib/numbers.js";

const LINE = 27; // units from row to row
const HEAD = 34;
const CELL = 10; // units a pixel of a small picture
const MOST_HIDDEN = 2; // units up to which all states are listed

/** @typedef {{ picture: number } | { bar: number, words: string } | string} Cell */
/** @typedef {{ title: string, wide: number }} Column its title may have two lines, parted by \n */

/**
 * A table with its top left corner at the origin; the last row is set apart where `sums`.
 * @param {CanvasRenderingContext2D} ctx
 * @param {import("../lib/pen.js").Pen} pen
 * @param {Column[]} columns
 * @param {Cell[][]} rows
 * @param {boolean} [sums]
 */
function drawTable(ctx, pen, columns, rows, sums = false) {
  let x = 0;
  const width = columns.reduce((sum, { wide }) => sum + wide, 0);
  ctx.strokeStyle = pen.ink.line;
  segment(ctx, 0, HEAD, width, HEAD);
  if (sums) segment(ctx, 0, HEAD + (rows.length - 1) * LINE + 3, width, HEAD + (rows.length - 1) * LINE + 3);
  for (const [c, { title, wide }] of columns.entries()) {
    const right = x + wide - 8;
    for (const [k, words] of title.split("\n").entries())
      pen.text(ctx, words, c ? right : 0, 12 + 15 * k, { align: c ? "right" : "left", size: 11.5 });
    for (const [r, row] of rows.entries()) {
      const y = HEAD + r * LINE + 19;
      const cell = row[c];
      if (typeof cell !== "string" && "picture" in cell)
        pen.picture(ctx, cell.picture, x, y - 11, CELL * 1.4);
      else if (typeof cell !== "string") {
        ctx.fillStyle = pen.colour.model;
        ctx.globalAlpha = 0.25;
        ctx.fillRect(x + 8, y - 13, (wide - 16) * cell.bar, 18);
        ctx.globalAlpha = 1;
        pen.text(ctx, cell.words, right, y, { align: "right", size: 13, alpha: 1 });
      } else {
        const strong = sums && r === rows.length - 1;
        const look = { align: /** @type {CanvasTextAlign} */ (c ? "right" : "left"), size: 13, alpha: 1 };
        pen.text(ctx, cell, c ? right : 0, y, { ...look, weight: strong ? 600 : 400 });
      }
    }
    x += wide;
  }
}

/** The view "Energies by hand": every state with its energy, its weight and its chance. */
export class Energies {
  /** @param {import("./learn.js").Learn} view */
  constructor(view) {
    this.view = view;
    this.canvas = findCanvas(view.panels.energies);
    this.note = find(view.panels.energies, ".note");
  }
  /** Every state: pixels first, the energy in nats, e^−E, p(v, h); and p(v) of its picture. */
  rows() {
    const { V, H, W, b, c } = this.view.rbm();
    const all = Array.from({ length: 1 << (V + H) }, (_, s) => {
      const on = (/** @type {number} */ k) => (s >> (V + H - 1 - k)) & 1;
      let E = 0;
      for (let i = 0; i < V; i++) E -= b[i] * on(i);
      for (let j = 0; j < H; j++) {
        E -= c[j] * on(V + j);
        for (let i = 0; i < V; i++) E -= on(i) * W[i * H + j] * on(V + j);
      }
      const h = Array.from({ length: H }, (_, j) => on(V + j));
      return { v: s >> H, h, E, weight: Math.exp(-E) };
    });
    const Z = all.reduce((sum, { weight }) => sum + weight, 0);
    const shares = all.map((row) => ({ ...row, p: row.weight / Z }));
    const of = (/** @type {number} */ v) => shares.reduce((sum, row) => sum + (row.v === v ? row.p : 0), 0);
    return { Z, rows: shares.map((row) => ({ ...row, p_v: of(row.v) })) };
  }
  paint() {
    const { pen, h, box } = this.view;
    const many = h.n_hidden > MOST_HIDDEN;
    const { Z, rows } = this.rows();
    const wide = Math.min(104, Math.floor((pen.wide(box) - 54) / 5));
    const columns = [
      "picture\nv",
      "hidden\nh",
      "energy E,\nnats",
      "weight\ne^−E",
      "share\np(v, h)",
      "picture's\np(v)",
    ].map((title, k) => ({ title, wide: k ? (k === 1 ? Math.min(wide, 62) : wide) : 54 }));
    const shown = many ? [] : rows;
    const width = columns.reduce((sum, column) => sum + column.wide, 0);
    const ctx = pen.sheet(this.canvas, width, HEAD + shown.length * LINE + 10);
    const cells = shown.map(({ v, h: hidden, E, weight, p, p_v }, r) => {
      const first = r === 0 || shown[r - 1].v !== v;
      /** @type {Cell[]} */
      const row = [first ? { picture: v } : "", hidden.join(" "), fixed(E, 2), fixed(weight, 3)];
      return [...row, { bar: p, words: fixed(p, 3) }, first ? fixed(p_v, 3) : ""];
    });
    drawTable(ctx, pen, columns, cells);
    this.canvas.setAttribute("aria-label", `Energies of ${rows.length} states; Z is ${fixed(Z, 3)}`);
    this.note.textContent = many
      ? `With ${h.n_hidden} hidden units there are ${rows.length} states, too many to list; choose one or two hidden units.`
      : `All weights add up to Z = ${fixed(Z, 3)}; a share is a weight divided by Z. A picture's chance is the sum of its rows. The weights are those after update ${this.view.at}.`;
  }
  picture() {
    return { title: "Energies by hand", rows: [[this.canvas]], note: this.note.textContent };
  }
  table() {
    const { V } = this.view.rbm();
    const rows = this.rows().rows.map(({ v, h, E, weight, p, p_v }) => [
      v.toString(2).padStart(V, "0"),
      h.join(""),
      E,
      weight,
      p,
      p_v,
    ]);
    return { columns: ["picture", "hidden", "energy_nats", "weight", "p_joint", "p_picture"], rows };
  }
}

/** The view "Update by hand": how the first weight changes, picture by picture. */
export class Hand {
  /** @param {import("./learn.js").Learn} view */
  constructor(view) {
    this.view = view;
    this.canvas = findCanvas(view.panels.hand);
    this.note = find(view.panels.hand, ".note");
  }
  /** The update that is shown: the last one has nothing after it. */
  get number() {
    return Math.min(this.view.at, this.view.h.n_updates - 1);
  }
  /** Picture by picture what the first weight's two means are made of; the means; the weight before and after. */
  sums() {
    const { view, number } = this;
    const { h, a } = view;
    const rbm = view.rbm(number);
    const shares = new Map(Array.from(a.patterns, (v, k) => [v, a.p_data[k]]));
    const rows = Array.from({ length: 1 << h.n_visible }, (_, v) => {
      const x = rbm.inputs(v)[0];
      const p = sigmoid(x);
      const first = rbm.bit(v, 0);
      const data = shares.get(v) ?? 0;
      const machine = Math.exp(-rbm.freeEnergy(v) - a.log_z[number]);
      return { v, x, p, data, machine, inData: first * p * data, inMachine: first * p * machine };
    });
    const [positive, negative] = [view.row("positive", number)[0], view.row("negative", number)[0]];
    const rate = h.rate * (1 - number / h.n_updates);
    const before = view.row("parameters", number)[0];
    return { rows, positive, negative, rate, before, after: before + rate * (positive - negative) };
  }
  paint() {
    const { pen, h, box } = this.view;
    const { rows, positive, negative, rate, before, after } = this.sums();
    const exact = h.sweeps === 0;
    const narrow = pen.wide(box) < 640;
    const column = (/** @type {string} */ title, /** @type {number} */ wide) => ({ title, wide });
    const given = [
      column("picture\nv", 52),
      column("input\nx = c + vw", 82),
      column("p(h = 1 | v)\n= σ(x)", 88),
    ];
    const data = [column("share in\nthe data", 78), column("× v₁\n× p(h)", 74)];
    const machine = [column("share in\nthe machine", 88), column("× v₁\n× p(h)", 74)];
    const none = (/** @type {string} */ words) => (exact ? words : "–");
    const parts = {
      given: [...rows.map(({ v, x, p }) => [{ picture: v }, fixed(x, 3), fixed(p, 3)]), ["sum", "", ""]],
      data: [...rows.map((row) => [fixed(row.data, 4), fixed(row.inData, 4)]), ["", fixed(positive, 4)]],
      machine: [
        ...rows.map((row) => [none(fixed(row.machine, 4)), none(fixed(row.inMachine, 4))]),
        ["", fixed(negative, 4)],
      ],
    };
    const beside = (/** @type {Cell[][][]} */ ...tables) =>
      tables[0].map((_, r) => tables.flatMap((t) => t[r]));
    const tables = narrow
      ? [
          { columns: [...given, ...data], rows: beside(parts.given, parts.data) },
          {
            columns: [given[0], ...machine],
            rows: beside(
              parts.given.map((row) => [row[0]]),
              parts.machine,
            ),
          },
        ]
      : [{ columns: [...given, ...data, ...machine], rows: beside(parts.given, parts.data, parts.machine) }];
    const tall = HEAD + (rows.length + 1) * LINE + 12;
    const wide = Math.max(
      ...tables.map((t) => t.columns.reduce((sum, one) => sum + one.wide, 0)),
      narrow ? 300 : 600,
    );
    const ctx = pen.sheet(this.canvas, wide, tables.length * tall + 62);
    for (const table of tables) {
      drawTable(ctx, pen, table.columns, table.rows, true);
      ctx.translate(0, tall);
    }
    const [w, r] = [fixed(before, 4), fixed(rate, 3)];
    const sum = `${w} + ${r} × (${fixed(positive, 4)} − ${fixed(negative, 4)}) = ${fixed(after, 4)}`;
    pen.text(ctx, "the first weight: before + rate × (data − machine) = after", 0, 18, { size: 12 });
    pen.text(ctx, sum, 0, 42, { size: 15, weight: 600, alpha: 1 });
    this.canvas.setAttribute("aria-label", `Update ${this.number + 1} of the first weight: ${sum}`);
    Object.assign(box.dataset, { before: before.toFixed(6), after: after.toFixed(6) });
    this.note.textContent = exact
      ? `The update from ${this.number} to ${this.number + 1}. v₁ is 1 where the first pixel is on, so only the last two pictures count for its weight. σ(x) = 1 / (1 + e^−x).`
      : `The machine's half comes from ${h.chains[0]} chains here, not from its exact shares; choose Exact to see those.`;
  }
  picture() {
    return { title: "One update by hand", rows: [[this.canvas]], note: this.note.textContent };
  }
  table() {
    const { h } = this.view;
    const rows = this.sums().rows.map(({ v, x, p, data, machine, inData, inMachine }) => [
      v.toString(2).padStart(h.n_visible, "0"),
      x,
      p,
      data,
      inData,
      machine,
      inMachine,
    ]);
    const shares = ["share_data", "v1_h_data", "share_machine", "v1_h_machine"];
    return { columns: ["picture", "input", "p_hidden_on", ...shares], rows };
  }
}
