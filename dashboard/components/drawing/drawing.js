// A pad to draw on, in one of two ways:
//   "draw": a picture of the reader's own, 140 × 140 grey values; the page centres and shrinks it.
//   "hold": the pixels of a picture that are to stay as they are, one bit each, painted over the picture.
// Every finished stroke is sent to the page once, as base64: state "picture" or "held".

import { context, putPixels } from "../lib/canvas.js";
import { abgr, colourTable } from "../lib/colour.js";
import { el } from "../lib/dom.js";
import { clamp } from "../lib/numbers.js";
import { PALETTE } from "../lib/palette.js";
import { show, View } from "../lib/view.js";
import { eachMark, fractionOf, packedBits } from "./brush.js";

/**
 * @typedef {object} Header
 * @property {string} version
 * @property {"draw" | "hold"} mode
 * @property {number} rows
 * @property {number} columns
 * @property {string} title
 * @property {string} note
 */
/** @typedef {{ under?: Uint8Array, marks?: Uint8Array }} Arrays under: the picture painted over; marks: 255 is full */
/** @typedef {(x: number, y: number) => boolean | number} Shape which pixels a button marks */

const FINE = 140;
const HOLD = { light: [213, 94, 0], dark: [255, 154, 74] };
const BRUSH_AT = "#E69F00";
/** @type {Record<string, [number, number]>} */
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const toBase64 = (/** @type {Uint8Array} */ bytes) => btoa(String.fromCharCode(...bytes));

/** The pad: the marks on it, the tool, and where the brush is. */
class Pad extends View {
  /** @type {"draw" | "hold"} */
  mode;
  rows = 0;
  columns = 0;
  /** The pad's own pixels across and down. */
  w = 0;
  h = 0;
  /** @type {Float32Array | undefined} how far each pixel is marked, 0 to 1 */
  marks;
  /** @type {Uint8Array | undefined} */
  under;
  tool = "pen";
  erasing = false;
  /** @type {[number, number] | null} where the brush is down */
  at = null;
  /** @type {[number, number] | undefined} where the keys have the brush */
  spot;
  /** @type {[HTMLButtonElement, Shape][]} buttons that mark a part of the picture */
  fills = [];

  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    this.head = el("div", { class: "head" });
    this.canvas = el("canvas", { tabindex: "0", role: "img" });
    this.tools = el("div", { class: "tools", role: "group", "aria-label": "Tools" });
    this.note = el("p", { class: "note" });
    this.hint = el("div", { class: "hint" }, "draw here");
    const paper = el("div", { class: "paper" }, this.canvas, this.hint);
    root.append(el("div", { class: "pad" }, this.head, paper, this.tools, this.note));
    this.listen();
  }
  listen() {
    const c = this.canvas;
    c.onpointerdown = (e) => {
      c.setPointerCapture(e.pointerId);
      this.at = null;
      this.erasing = this.tool === "eraser" || e.button === 2;
      this.move(e);
    };
    c.onpointermove = (e) => {
      if (e.buttons && this.at) this.move(e);
    };
    c.onpointerup = c.onpointercancel = c.onblur = () => this.lift();
    c.oncontextmenu = (e) => e.preventDefault();
    c.onkeydown = (e) => this.key(e);
    c.onkeyup = (e) => {
      if (e.key === "Shift") this.lift();
    };
    c.onfocus = () => this.draw();
  }

  /** @param {{ header: Header, arrays: Arrays }} blob */
  receive({ header, arrays }) {
    const { mode, rows, columns, version } = header;
    const fresh = mode !== this.mode || rows !== this.rows || columns !== this.columns;
    Object.assign(this, { mode, rows, columns, under: arrays.under });
    this.w = mode === "draw" ? FINE : columns;
    this.h = mode === "draw" ? FINE : rows;
    // What is on the pad is the reader's own: the page replaces it only when it has something else to show.
    if (fresh || version !== this.version) {
      this.version = version;
      this.marks = new Float32Array(this.w * this.h);
      if (arrays.marks) this.marks.set(Float32Array.from(arrays.marks, (x) => x / 255));
    }
    if (fresh) this.buildTools();
    this.head.textContent = header.title;
    this.note.textContent = header.note;
    const keys = "Arrow keys move the brush, with shift they draw; space makes a dot.";
    this.canvas.setAttribute("aria-label", `${header.title}. ${keys}`);
  }
  buildTools() {
    const tool = (/** @type {string} */ name, /** @type {string} */ word) => {
      const choose = () => {
        this.tool = name;
        this.draw();
      };
      return el("button", { type: "button", "data-tool": name, onclick: choose }, word);
    };
    this.fills = [];
    const fill = (/** @type {string} */ word, /** @type {Shape} */ shape) => {
      const button = el("button", { type: "button", onclick: () => this.fill(shape) }, word);
      if (this.mode === "hold") this.fills.push([button, shape]);
      return button;
    };
    if (this.mode === "draw") {
      this.tools.replaceChildren(
        tool("pen", "pen"),
        tool("eraser", "eraser"),
        fill("clear", () => 0),
      );
      return;
    }
    const group = (/** @type {string} */ words, /** @type {HTMLElement[]} */ ...buttons) =>
      el(
        "div",
        { class: "group", role: "group", "aria-label": words },
        el("span", { class: "word" }, words),
        ...buttons,
      );
    const { w, h } = this;
    const half = (/** @type {number} */ n) => Math.ceil(n / 2);
    const far = (/** @type {number} */ i, /** @type {number} */ n) => Math.abs(i + 0.5 - n / 2) > n / 5;
    this.tools.replaceChildren(
      group("brush", tool("pen", "hold"), tool("eraser", "free")),
      group(
        "or hold",
        fill("top", (_, y) => y < half(h)),
        fill("bottom", (_, y) => y >= half(h)),
        fill("left", (x) => x < half(w)),
        fill("right", (x) => x >= half(w)),
        fill("all but the middle", (x, y) => far(x, w) || far(y, h)),
        fill("nothing", () => 0),
      ),
    );
  }

  /** @param {Shape} shape */
  fill(shape) {
    this.marks = this.marks?.map((_, i) => this.within(shape, i));
    this.draw();
    this.send();
  }
  /**
   * @param {Shape} shape
   * @param {number} i a pixel's number
   */
  within(shape, i) {
    return Number(shape(i % this.w, Math.floor(i / this.w)));
  }
  /** The brush leaves the pad: the stroke is finished. */
  lift() {
    if (!this.at) return;
    this.at = null;
    this.send();
  }
  /** @param {KeyboardEvent} e */
  key(e) {
    const step = STEPS[e.key];
    if ((!step && e.key !== " ") || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    e.stopPropagation(); // else the Gibbs film would step too
    this.spot ??= [this.w / 2, this.h / 2];
    this.erasing = this.tool === "eraser";
    if (!step) {
      this.line(this.spot);
      this.lift();
      return;
    }
    if (e.shiftKey) this.at ??= this.spot;
    else this.at = null;
    const stride = this.w / 28;
    const [x, y] = this.spot;
    this.spot = [clamp(x + stride * step[0], 0, this.w), clamp(y + stride * step[1], 0, this.h)];
    if (this.at) this.line(this.spot);
    else this.draw();
  }
  /** @param {PointerEvent} e */
  move(e) {
    const [x, y] = fractionOf(e, this.canvas);
    this.line([x * this.w, y * this.h]);
  }
  /**
   * The brush goes on from where it is, or comes down here.
   * @param {[number, number]} to
   */
  line(to) {
    const { marks } = this;
    if (!marks) return;
    const drawing = this.mode === "draw";
    const radius = drawing ? (this.erasing ? 10 : 6.5) : Math.max(0.6, this.w / 16);
    const brush = { radius, soft: drawing ? 1.5 : 0 };
    eachMark(this.at ?? to, to, brush, this.w, this.h, (i, ink) => {
      marks[i] = this.erasing ? Math.min(marks[i], 1 - ink) : Math.max(marks[i], ink);
    });
    this.at = to;
    this.draw();
  }
  send() {
    const marks = this.marks ?? new Float32Array();
    if (this.mode === "draw")
      this.say("picture", toBase64(Uint8Array.from(marks, (x) => Math.round(255 * x))));
    else this.say("held", toBase64(packedBits(marks)));
  }

  draw() {
    const { marks, canvas, w, h } = this;
    if (!marks) return;
    for (const b of this.tools.querySelectorAll("[data-tool]")) {
      b.setAttribute("aria-pressed", String(b.getAttribute("data-tool") === this.tool));
    }
    for (const [b, shape] of this.fills) {
      b.setAttribute("aria-pressed", String(marks.every((x, i) => x === this.within(shape, i))));
    }
    this.hint.hidden = this.mode !== "draw" || marks.some((x) => x > 0);
    putPixels(canvas, this.pixels(marks), w, h);
    if (!this.spot || !canvas.matches(":focus-visible")) return;
    const [x, y] = this.spot;
    const c = context(canvas);
    c.strokeStyle = BRUSH_AT;
    c.lineWidth = w / 90;
    c.strokeRect(x - w / 40, y - w / 40, w / 20, w / 20);
  }
  /** @param {Float32Array} marks */
  pixels(marks) {
    if (this.mode === "draw") {
      const grey = colourTable(PALETTE.grey);
      return Uint32Array.from(marks, (x) => grey[Math.round(255 * x)]);
    }
    const hold = this.dark ? HOLD.dark : HOLD.light;
    return Uint32Array.from(marks, (x, i) => {
      const under = this.under?.[i] ?? 0;
      const tint = x * 0.55;
      return abgr(hold.map((c) => Math.round(under * (1 - tint) + c * tint)));
    });
  }
}

/** @param {import("../lib/view.js").Mounted} component */
export default (component) => show(component, Pad);
