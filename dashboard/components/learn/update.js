// One update in slow motion: data, positive statistics, chains, negative statistics, their difference, new weights.

import { find, findCanvas } from "../lib/dom.js";
import { clamp, pretty } from "../lib/numbers.js";
import { Chains, times } from "./chains.js";
import { Matrix } from "./matrices.js";
import { parameterTable } from "./tables.js";

const STAGES = ["Data", "Positive statistics", "Chain", "Negative statistics", "Difference", "New weights"];
/** @type {Record<string, number>} the stage in which each card is made */
const MADE = { data: 0, positive: 1, chain: 2, negative: 3, difference: 4, before: 5, after: 5 };
const MATRICES = ["positive", "negative", "difference", "before", "after"];
const STAGE_FOR = 2600; // ms, where the stages run on their own

/** The view "One update in slow motion". */
export class Update {
  /** @param {import("./learn.js").Learn} view */
  constructor(view) {
    this.view = view;
    this.stage = 0;
    this.running = false;
    const panel = view.panels.update;
    this.cards = Object.fromEntries(
      Object.keys(MADE).map((name) => [name, find(panel, `[data-card="${name}"]`)]),
    );
    this.matrices = Object.fromEntries(
      MATRICES.map((name) => [name, new Matrix(view, findCanvas(this.cards[name]))]),
    );
    this.chains = new Chains(this);
    this.says = find(panel, ".says");
    this.next = find(panel, ".next");
    this.rate = find(panel, ".rate");
    this.buttons = /** @type {HTMLButtonElement[]} */ ([...panel.querySelectorAll("[data-stage]")]);
    for (const [k, button] of this.buttons.entries()) button.onclick = () => this.toStage(k);
    this.next.onclick = () => this.advance();
  }
  /** @param {number} k */
  toStage(k) {
    this.running = false;
    this.view.pause();
    this.setStage(k);
    this.view.draw();
  }
  /** @param {number} k */
  setStage(k) {
    this.stage = k;
    this.chains.revealed = 0;
  }
  advance() {
    this.running = false;
    const { at, h } = this.view;
    if (this.stage < STAGES.length - 1) this.toStage(this.stage + 1);
    else this.view.go(at >= h.n_updates - 1 ? 0 : at + 1);
  }
  /** Lets the stages follow one another. */
  run() {
    this.running = true;
    let before = performance.now();
    const tick = (/** @type {number} */ now) => {
      if (!this.running || !this.view.box.isConnected || this.view.view !== "update") return;
      if (now - before > STAGE_FOR) {
        before = now;
        this.running = this.stage < STAGES.length - 1;
        if (!this.running) return;
        this.setStage(this.stage + 1);
        this.view.draw();
      }
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }
  /** The update that is shown: the last one has nothing after it. */
  get number() {
    return Math.min(this.view.at, this.view.h.n_updates - 1);
  }

  paint() {
    const { stage, number: at } = this;
    const { h, pen, room } = this.view;
    const rate = h.rate * (1 - at / h.n_updates);
    for (const [k, button] of this.buttons.entries())
      button.setAttribute("aria-pressed", String(k === stage));
    const anew = at < h.n_updates - 1 ? "Start the next update →" : "Back to the first update";
    this.next.textContent = stage < STAGES.length - 1 ? `Next: ${STAGES[stage + 1].toLowerCase()} →` : anew;
    for (const [name, card] of Object.entries(this.cards)) {
      card.classList.toggle("later", MADE[name] > stage);
      card.classList.toggle("now", MADE[name] === stage);
    }
    this.says.textContent = this.words(at, rate)[stage];
    this.paintData();
    this.chains.paint(at);
    this.paintMatrices(at, clamp(pen.wide(this.view.box) / 4.8, 110, 230), clamp((room - 204) / 2, 76, 240));
    this.rate.textContent = `× ${pretty(rate, 3)} +`;
    this.rate.style.opacity = String(stage < 5 ? 0.15 : 1);
  }
  /**
   * What happens in each stage.
   * @param {number} at
   * @param {number} rate
   */
  words(at, rate) {
    const { h, a } = this.view;
    const begins =
      h.method === "pcd"
        ? "Each chain goes on from where the last update left it"
        : "A chain starts at each picture of the data";
    const chains = h.sweeps
      ? `${begins} and makes ${times(h.sweeps, "sweep")}: the hidden units are drawn from the picture, then a new picture from the hidden units. ${h.chains[0]} chains run; ${a.starts.shape[1]} are drawn here, one of them with every half step.`
      : "No chain is needed here: this machine is so small that all its pictures can be counted. These are the pictures it likes best at the moment.";
    return [
      `Update ${at + 1}. The machine is shown the data: ${h.n_cases} pictures. Nothing has changed yet.`,
      "For each picture the hidden units say how likely they are to be on. How often are pixel and hidden unit on together, on average? One number for each pair, from 0 to 1.",
      chains,
      h.sweeps
        ? "The same averages, now over the pictures where the chains ended: what the machine believes in."
        : "The same averages, now over all pictures as often as the machine itself would show them.",
      "What the data do minus what the machine does. Red: the data have these two on together more often, so the weight should grow. Blue: less often, so it should shrink.",
      `Each weight takes a small step: ${pretty(rate, 3)} times the difference (the learning rate falls to zero as learning goes on). Then the next update begins.`,
    ];
  }
  /** Units a pixel of a small picture, and its width and height. */
  get small() {
    const { n_visible, shape } = this.view.h;
    const cell = n_visible <= 4 ? 15 : n_visible <= 9 ? 8 : 6;
    return { cell, wide: shape[1] * cell, high: shape[0] * cell };
  }
  /**
   * @param {string} name of a card
   * @param {string} words
   */
  note(name, words) {
    find(this.cards[name], ".note").textContent = words;
  }
  paintData() {
    const { h, a, pen } = this.view;
    const { cell, wide, high } = this.small;
    const pair = h.n_visible <= 4;
    const cases = a.patterns.length;
    const many = pair ? 2 : cases > 16 ? 6 : 4;
    const [across, down] = [wide + 8, high + (pair ? 20 : 8)];
    const ctx = pen.sheet(findCanvas(this.cards.data), many * across, Math.ceil(cases / many) * down);
    for (let k = 0; k < cases; k++) {
      const x = (k % many) * across;
      const y = Math.floor(k / many) * down;
      pen.picture(ctx, a.patterns[k], x, y, cell);
      const count = `× ${Math.round(a.p_data[k] * h.n_cases)}`;
      if (pair) pen.text(ctx, count, x + wide / 2, y + high + 13, { align: "center", size: 11 });
    }
    this.note("data", `${h.n_cases} cases`);
  }
  /** The five matrices of an update. */
  parts(at = this.number) {
    const { view } = this;
    const positive = view.row("positive", at);
    const negative = view.row("negative", at);
    return {
      positive,
      negative,
      difference: positive.map((x, k) => x - negative[k]),
      before: view.row("parameters", at),
      after: view.row("parameters", at + 1),
    };
  }
  /**
   * @param {number} at
   * @param {number} most units across
   * @param {number} tall units down
   */
  paintMatrices(at, most, tall) {
    const { pen } = this.view;
    const parts = this.parts(at);
    const reach = (/** @type {Float32Array[]} */ ...of) =>
      Math.max(...of.flatMap((x) => Array.from(x, Math.abs)));
    const about = (/** @type {number} */ end) => ({ low: -end, high: end, stops: pen.stops });
    const gradient = Math.max(1e-3, reach(parts.difference));
    const weight = Math.max(0.5, reach(parts.before, parts.after));
    const says = (/** @type {number} */ end) => `−${pretty(end, 2)} blue, +${pretty(end, 2)} red`;
    const share = { low: 0, high: 1, stops: pen.depth };
    const draw = (
      /** @type {keyof typeof parts} */ name,
      /** @type {{ low: number, high: number, stops: string[] }} */ scale,
      /** @type {string} */ words,
    ) => {
      const title = find(this.cards[name], ".name").textContent;
      this.matrices[name].draw(parts[name], { most, tall, ...scale, name: title });
      this.note(name, words);
    };
    draw("positive", share, `0 ${pen.dark ? "black" : "white"}, 1 blue`);
    draw("negative", share, "the same scale");
    draw("difference", about(gradient), says(gradient));
    draw("before", about(weight), says(weight));
    draw("after", about(weight), "the same scale");
  }

  picture() {
    const rows = [
      ["data", "positive", "negative", "chain"],
      ["difference", "before", "after"],
    ].map((row) =>
      row.map((name) => ({
        canvas: findCanvas(this.cards[name]),
        name: find(this.cards[name], ".name").textContent,
      })),
    );
    return { title: "One update in slow motion", note: this.says.textContent, rows };
  }
  table() {
    return parameterTable(this.view, this.parts());
  }
}
