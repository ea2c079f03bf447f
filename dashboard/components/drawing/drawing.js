// A pad to draw on, in one of two ways:
//   "draw": a picture of your own, 140 × 140 grey values; the page centres and shrinks it.
//   "hold": the pixels of a picture that are to stay as they are, one bit each, painted over the picture.
// Every finished stroke is told to the page once, as base64: state "picture" or "held".

const FINE = 140;
const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));

class Pad {
  constructor(root) {
    this.box = el("div", { class: "pad" });
    this.head = el("div", { class: "head" });
    this.canvas = el("canvas", { tabindex: "0", role: "img" });
    this.tools = el("div", { class: "tools", role: "group", "aria-label": "Tools" });
    this.note = el("p", { class: "note" });
    this.hint = el("div", { class: "hint" }, "draw a digit here");
    this.box.append(this.head, el("div", { class: "paper" }, this.canvas, this.hint), this.tools, this.note);
    root.append(this.box);
    this.tool = "pen";
    const c = this.canvas;
    c.onpointerdown = (e) => { c.setPointerCapture(e.pointerId); this.at = null; this.erasing = this.tool === "eraser" || e.button === 2; this.move(e); };
    c.onpointermove = (e) => { if (e.buttons && this.at) this.move(e); };
    c.onpointerup = c.onpointercancel = () => { if (this.at) { this.at = null; this.tell(); } };
    c.oncontextmenu = (e) => e.preventDefault();
    c.onkeydown = (e) => this.key(e);
    c.onkeyup = c.onblur = (e) => { if ((e.type === "blur" || e.key === "Shift") && this.at) { this.at = null; this.tell(); } };
    c.onfocus = () => this.draw();
  }
  receive({ header, arrays }) {
    const fresh = header.mode !== this.mode || header.rows !== this.rows || header.columns !== this.columns;
    Object.assign(this, { mode: header.mode, rows: header.rows, columns: header.columns, under: arrays.under });
    this.w = this.mode === "draw" ? FINE : this.columns;
    this.h = this.mode === "draw" ? FINE : this.rows;
    // What is on the pad is the reader's own: the page replaces it only when it has something else to show.
    if (fresh || header.version !== this.version) {
      this.version = header.version;
      this.marks = new Float32Array(this.w * this.h);
      if (arrays.marks) for (let i = 0; i < this.marks.length; i++) this.marks[i] = arrays.marks[i] / 255;
    }
    if (fresh) this.buildTools();
    this.head.textContent = header.title;
    this.note.textContent = header.note;
    this.canvas.setAttribute("aria-label", `${header.title}. Arrow keys move the brush, with shift they draw; space makes a dot.`);
  }
  buildTools() {
    const tool = (name, word) => el("button", { type: "button", "data-tool": name, onclick: () => { this.tool = name; this.draw(); } }, word);
    const fill = (word, f) => {
      const button = el("button", { type: "button", onclick: () => this.fill(f) }, word);
      if (this.mode === "hold") this.fills.push([button, f]);
      return button;
    };
    this.fills = [];
    const half = (n) => Math.ceil(n / 2);
    const group = (words, ...buttons) => el("div", { class: "group", role: "group", "aria-label": words }, el("span", { class: "word" }, words), ...buttons);
    if (this.mode === "draw") this.tools.replaceChildren(tool("pen", "pen"), tool("eraser", "eraser"), fill("clear", () => 0));
    else this.tools.replaceChildren(
      group("brush", tool("pen", "hold"), tool("eraser", "free")),
      group("or hold", fill("top", (x, y) => y < half(this.h)), fill("bottom", (x, y) => y >= half(this.h)),
        fill("left", (x) => x < half(this.w)), fill("right", (x) => x >= half(this.w)),
        fill("all but the middle", (x, y) => Math.abs(x + 0.5 - this.w / 2) > this.w / 5 || Math.abs(y + 0.5 - this.h / 2) > this.h / 5),
        fill("nothing", () => 0)));
  }
  fill(f) {
    this.marks = this.marks.map((_, i) => Number(f(i % this.w, Math.floor(i / this.w))));
    this.draw();
    this.tell();
  }
  key(e) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if ((!step && e.key !== " ") || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    e.stopPropagation(); // else the film would step too
    const stride = this.w / 28, within = (x, n) => Math.min(n, Math.max(0, x));
    this.spot ??= [this.w / 2, this.h / 2];
    this.erasing = this.tool === "eraser";
    if (step) {
      if (e.shiftKey) this.at ??= this.spot; else this.at = null;
      this.spot = [within(this.spot[0] + stride * step[0], this.w), within(this.spot[1] + stride * step[1], this.h)];
      if (this.at) this.line(this.spot); else this.draw();
      return;
    }
    this.line(this.spot);
    this.at = null;
    this.tell();
  }
  move(e) {
    const r = this.canvas.getBoundingClientRect();
    this.line([(e.clientX - r.left) / r.width * this.w, (e.clientY - r.top) / r.height * this.h]);
  }
  /** The brush goes on from where it is, or comes down here. */
  line(to) {
    const from = this.at || to, n = Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]) * 2) + 1;
    for (let k = 1; k <= n; k++) this.dab(from[0] + (to[0] - from[0]) * k / n, from[1] + (to[1] - from[1]) * k / n);
    this.at = to;
    this.draw();
  }
  dab(x, y) {
    const radius = this.mode === "draw" ? (this.erasing ? 10 : 6.5) : Math.max(0.6, this.w / 16);
    const soft = this.mode === "draw" ? 1.5 : 0;
    for (let j = Math.max(0, Math.floor(y - radius - 1)); j <= Math.min(this.h - 1, y + radius + 1); j++)
      for (let i = Math.max(0, Math.floor(x - radius - 1)); i <= Math.min(this.w - 1, x + radius + 1); i++) {
        const d = Math.hypot(i + 0.5 - x, j + 0.5 - y);
        const ink = soft ? Math.min(1, Math.max(0, (radius - d) / soft)) : Number(d <= radius);
        const at = j * this.w + i;
        this.marks[at] = this.erasing ? Math.min(this.marks[at], 1 - ink) : Math.max(this.marks[at], ink);
      }
  }
  tell() {
    if (this.mode === "draw") this.say("picture", toBase64(Uint8Array.from(this.marks, (x) => Math.round(255 * x))));
    else {
      const bits = new Uint8Array((this.marks.length + 7) >> 3);
      this.marks.forEach((x, i) => { if (x > 0.5) bits[i >> 3] |= 128 >> (i & 7); });
      this.say("held", toBase64(bits));
    }
  }
  draw() {
    if (!this.marks) return;
    for (const b of this.tools.querySelectorAll("[data-tool]")) b.setAttribute("aria-pressed", String(b.dataset.tool === this.tool));
    for (const [b, f] of this.fills) b.setAttribute("aria-pressed", String(this.marks.every((x, i) => x === Number(f(i % this.w, Math.floor(i / this.w))))));
    this.hint.hidden = this.mode !== "draw" || this.marks.some((x) => x > 0);
    const { canvas, w, h } = this;
    if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
    const image = new ImageData(w, h), grey = colourTable(PALETTE.grey), out = new Uint32Array(image.data.buffer);
    const hold = this.dark ? [255, 154, 74] : [213, 94, 0];
    for (let i = 0; i < out.length; i++) {
      if (this.mode === "draw") { out[i] = grey[Math.round(255 * this.marks[i])]; continue; }
      const under = this.under ? this.under[i] : 0, tint = this.marks[i] * 0.55;
      const [r, g, b] = hold.map((c) => Math.round(under * (1 - tint) + c * tint));
      out[i] = ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
    }
    const c = canvas.getContext("2d");
    c.putImageData(image, 0, 0);
    if (this.spot && canvas.matches(":focus-visible")) { // where the keys have the brush
      c.strokeStyle = "#E69F00";
      c.lineWidth = w / 90;
      c.strokeRect(this.spot[0] - w / 40, this.spot[1] - w / 40, w / 20, w / 20);
    }
  }
}

export default (component) => show(component, Pad);
