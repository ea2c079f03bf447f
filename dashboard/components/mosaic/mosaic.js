// A mosaic of tiles on one common scale.
// header: {version, same, kind: "filters"|"particles", shape: [h, w], unit, range, scale, order, title, note, hint, sort, sorts, facts, of, name}
//         opens: a click says open = the tile's unit, instead of showing a card; chosen: the tile framed then
//         inspect: the card has a button that says open
// arrays: tiles int8 (n, h·w), 127 = range, signed (filters) · or uint8, 255 = 1 (particles); bits uint8 (n, h·w);
//         facts: float32 (n, k), named in header.facts

const GAP = 2; // css pixels between tiles, in the colour of lines: tiles of the page's own white stay apart

class Mosaic {
  constructor(root) {
    this.root = root;
    this.grey = null;       // true: grey; false: diverging; null: what the kind is born with
    this.gain = 1;          // this reader's factor on the common scale
    this.held = null;       // a scale kept while time moves
    this.binary = false;
    this.over = null;
    this.chosen = null;
    this.build();
  }

  build() {
    this.title = el("div", { class: "title" });
    this.tools = el("div", { class: "row tools" });
    this.canvas = el("canvas", { role: "img", tabindex: "0" });
    this.tip = el("div", { class: "tip", hidden: "" });
    this.card = el("div", { class: "card", hidden: "" });
    this.stage = el("div", { class: "stage" }, this.canvas, this.card, this.tip);
    this.scaleBar = el("canvas", { class: "scale", role: "img" });
    this.note = el("div", { class: "note" });
    this.root.append(el("div", { class: "row spread" }, el("div", { class: "row" }, this.title, saveButtons(this)), this.tools), this.stage,
      el("div", { class: "row spread foot" }, this.note, this.scaleBar));
    this.off = document.createElement("canvas");
    this.observer = onResize(this, this.root);
    this.listen();
  }
  close() { this.observer.disconnect(); }

  receive({ header, arrays }) {
    if (stale(this, header)) return;
    if (header.same) return;
    const first = !this.h;
    this.h = header;
    this.a = arrays;
    this.n = arrays.tiles.shape[0];
    if (first) this.furnish();
    if (this.sortPicker) this.sortPicker.value = header.sort;
    if (this.basePicker) this.fillBases();
    if (header.opens) this.chosen = header.chosen;
    if (this.chosen !== null && this.chosen >= this.n) this.chosen = null;
    this.painted = null;
  }

  // Controls, once the kind is known.
  furnish() {
    if (this.h.sorts) {
      this.sortPicker = el("select", { "aria-label": "Order of the units", title: "Order of the units; it stays as it is while time moves, so that each unit keeps its place",
        onchange: () => this.say("sort", this.sortPicker.value) });
      for (const [key, label] of this.h.sorts) this.sortPicker.append(el("option", { value: key }, label));
      if (this.h.bases) this.basePicker = el("select", { "aria-label": "Weights, or what changed", title: "The weights, or what changed in them since an earlier step",
        onchange: () => this.say("base", this.basePicker.value) });
      const grey = el("button", { "aria-pressed": "false", title: "Grey instead of colours about zero", onclick: () => {
        this.grey = !this.grey;
        grey.setAttribute("aria-pressed", String(this.grey));
        this.painted = null;
        this.draw();
      } }, "grey");
      const gain = el("input", { type: "range", min: -1, max: 1, step: 0.05, value: 0, title: "Contrast: where the colours saturate", "aria-label": "Contrast", oninput: () => {
        this.gain = 2.5 ** -Number(gain.value);
        this.painted = null;
        this.draw();
      } });
      const hold = el("button", { "aria-pressed": "false", title: "Keep this scale while time moves, to see the weights grow", onclick: () => {
        this.held = this.held === null ? this.h.scale : null;
        hold.setAttribute("aria-pressed", String(this.held !== null));
        this.painted = null;
        this.draw();
      } }, "hold scale");
      if (this.basePicker) this.tools.append(this.basePicker);
      this.tools.append(this.sortPicker, grey, el("label", {}, "contrast", gain));
      if (this.basePicker) this.tools.append(hold);
    } else {
      const draws = el("button", { "aria-pressed": "false", title: "Show the drawn pixels v instead of their probabilities p(v|h)", onclick: () => {
        this.binary = !this.binary;
        draws.setAttribute("aria-pressed", String(this.binary));
        this.painted = null;
        this.draw();
      } }, "samples");
      if (this.a.bits) this.tools.append(draws);
    }
  }
  fillBases() {
    const key = this.h.bases.join();
    if (this.baseKey !== key) {
      this.baseKey = key;
      this.basePicker.replaceChildren(el("option", { value: "0" }, "weights"),
        ...this.h.bases.map((s) => el("option", { value: `since ${s}` }, `change since step ${pretty(s)}`)));
    }
    this.basePicker.value = this.h.base;
  }

  picture() {
    if (!this.h) return null;
    const { title, note, of, name, kind } = this.h;
    return { title, note, of, name: name || kind, rows: [[this.canvas], [this.scaleBar]] };
  }

  get range() { return (this.held === null ? this.h.scale : this.held) * this.gain; }

  // Columns and tile size. Filters fill the width, as large as a calm height allows and never below their own
  // pixels; particles make a square.
  layout(width) {
    const [th, tw] = this.h.shape, n = this.n, ratio = pixelRatio();
    if (this.h.kind === "particles") {
      const columns = Math.ceil(Math.sqrt(n)), room = Math.min(width, 560) / columns - GAP, grain = Math.floor((4 * room * ratio) / tw) / 4;
      return { columns, rows: Math.ceil(n / columns), size: grain >= 1 ? Math.min((grain * tw) / ratio, 96) : room };
    }
    for (let grain = Math.max(1, Math.floor((96 * ratio) / tw)); ; grain -= grain > 3 ? 1 : 0.25) {
      const size = (grain * tw) / ratio, columns = Math.max(1, Math.min(n, Math.floor((width + GAP) / (size + GAP))));
      const rows = Math.ceil(n / columns);
      if (grain <= 1 || rows * ((size * th) / tw + GAP) <= 520) return { columns, rows, size };
    }
  }

  paint() { // every tile at its own pixels, once a payload
    const [th, tw] = this.h.shape, { columns, rows } = this.grid;
    const w = columns * (tw + 1), h = rows * (th + 1), off = this.off;
    off.width = w;
    off.height = h;
    const image = new Uint32Array(w * h), table = new Uint32Array(256);
    const grey = this.h.kind === "particles" || this.grey;
    const colours = colourTable(grey ? PALETTE.grey : PALETTE[this.dark ? "dark" : "light"].diverging);
    const source = this.binary ? this.a.bits : this.a.tiles, signed = this.h.kind === "filters";
    for (let b = 0; b < 256; b++) {
      const q = b < 128 ? b : b - 256;
      table[b] = signed ? colours[Math.max(0, Math.min(255, Math.round(127.5 + (127.5 * (q / 127) * this.h.range) / this.range)))]
        : colours[b];
    }
    for (let place = 0; place < this.n; place++) {
      const unit = this.h.order ? this.h.order[place] : place, x0 = (place % columns) * (tw + 1), y0 = Math.floor(place / columns) * (th + 1);
      let s = unit * th * tw;
      for (let y = 0; y < th; y++) {
        let t = (y0 + y) * w + x0;
        for (let x = 0; x < tw; x++) image[t++] = table[source[s++] & 255];
      }
    }
    off.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(image.buffer), w, h), 0, 0);
    this.table = table;
  }

  draw() {
    if (!this.ink || !this.h) return;
    const width = Math.floor(this.root.clientWidth);
    if (!width) return;
    const key = `${width} ${this.dark} ${pixelRatio()}`;
    if (this.painted !== key) {
      this.grid = this.layout(width);
      this.paint();
      this.painted = key;
    }
    const [th, tw] = this.h.shape, { columns, rows, size } = this.grid, high = (size * th) / tw;
    const ctx = sharpen(this.canvas, width, Math.ceil(rows * (high + GAP)));
    const grain = (size * pixelRatio()) / tw;
    ctx.imageSmoothingEnabled = grain < 4 && !Number.isInteger(Math.round(grain * 1000) / 1000);
    ctx.imageSmoothingQuality = "high";
    this.step = [size + GAP, high + GAP];
    ctx.fillStyle = this.ink.line;
    for (let place = 0; place < this.n; place++) {
      const c = place % columns, r = Math.floor(place / columns), x = 1 + c * this.step[0], y = 1 + r * this.step[1];
      ctx.fillRect(x - 1, y - 1, size + 2, high + 2);
      ctx.drawImage(this.off, c * (tw + 1), r * (th + 1), tw, th, x, y, size, high);
    }
    for (const [place, colour, wide] of [[this.over, this.ink.text, 1.5], [this.chosenPlace(), this.ink.accent, 2.5]]) {
      if (place === null || place < 0) continue;
      ctx.strokeStyle = colour;
      ctx.lineWidth = wide;
      ctx.strokeRect((place % columns) * this.step[0] + 0.5, Math.floor(place / columns) * this.step[1] + 0.5, size + 1, high + 1);
    }
    this.title.textContent = this.h.title;
    this.note.textContent = [this.h.note, this.h.hint].filter(Boolean).join(" ");
    this.canvas.setAttribute("aria-label", `${this.h.title}: ${this.n} tiles. ${this.h.note}`);
    this.drawScale();
    this.drawCard();
  }

  chosenPlace() {
    if (this.chosen === null) return null;
    return this.h.order ? this.h.order.indexOf(this.chosen) : this.chosen;
  }

  drawScale() {
    const wide = 198, ctx = sharpen(this.scaleBar, wide, 30, textScale()), signed = this.h.kind === "filters";
    const grey = !signed || this.grey;
    const colours = colourTable(grey ? PALETTE.grey : PALETTE[this.dark ? "dark" : "light"].diverging);
    const hex = (c) => `rgb(${c & 255} ${(c >> 8) & 255} ${(c >> 16) & 255})`;
    for (let i = 1; i < wide - 1; i++) {
      ctx.fillStyle = hex(colours[Math.round((i / wide) * 255)]);
      ctx.fillRect(i, 2, 1.5, 9);
    }
    ctx.strokeStyle = this.ink.line;
    ctx.strokeRect(0.5, 1.5, wide - 1, 10);
    ctx.fillStyle = this.ink.text;
    ctx.font = `11px ${this.ink.font}`;
    ctx.textAlign = "left"; // flush with the ends of the picture, so that no number is cut off
    ctx.fillText(signed ? pretty(-this.range, 2) : pretty(this.h.low ?? 0, 2), 0, 25);
    ctx.textAlign = "center";
    ctx.fillText(signed ? "0" : this.h.unit, 99, 25);
    ctx.textAlign = "right";
    ctx.fillText(signed ? "+" + pretty(this.range, 2) : pretty(this.h.high ?? 1, 2), wide, 25);
    this.scaleBar.setAttribute("aria-label", signed ? `Scale from ${-this.range} to ${this.range}` : "Scale from 0 to 1");
  }

  name(tile) { return `${this.h.noun} ${this.a.units ? this.a.units[tile] : tile}`; }

  facts(unit) {
    const k = this.h.facts.length;
    return this.h.facts.map(([label, noun], i) => `${label} ${pretty(this.a.facts[unit * k + i], 3)}${noun ? " " + noun : ""}`);
  }

  drawCard() {
    this.card.hidden = this.chosen === null || Boolean(this.h.opens);
    if (this.card.hidden) return;
    const [th, tw] = this.h.shape, size = Math.max(1, Math.floor(196 / Math.max(th, tw))), unit = this.chosen;
    if (!this.cardCanvas) {
      this.cardCanvas = el("canvas", { role: "img" });
      this.cardText = el("div", { class: "facts" });
      const inspect = this.h.inspect ? [el("button", { title: "All about this unit, on the Inspect page", onclick: () => this.open() }, "inspect")] : [];
      this.card.append(this.cardCanvas, el("div", {}, this.cardText, el("div", { class: "row" }, ...inspect,
        el("button", { onclick: () => this.pick(this.chosenPlace() - 1) }, "previous"),
        el("button", { onclick: () => this.pick(this.chosenPlace() + 1) }, "next"),
        el("button", { onclick: () => { this.chosen = null; this.draw(); } }, "close"))));
    }
    const ctx = sharpen(this.cardCanvas, tw * size, th * size), source = this.binary ? this.a.bits : this.a.tiles;
    const hex = (c) => `rgb(${c & 255} ${(c >> 8) & 255} ${(c >> 16) & 255})`;
    for (let p = 0; p < th * tw; p++) {
      ctx.fillStyle = hex(this.table[source[unit * th * tw + p] & 255]);
      ctx.fillRect((p % tw) * size, Math.floor(p / tw) * size, size, size);
    }
    this.cardCanvas.setAttribute("aria-label", `${this.name(unit)}, enlarged`);
    // Over the half of the mosaic that the chosen tile is not in.
    const right = (this.chosenPlace() % this.grid.columns) < this.grid.columns / 2;
    this.card.style.left = right ? "" : "0";
    this.card.style.right = right ? "0" : "";
    this.cardText.replaceChildren(el("div", { class: "title" }, this.name(unit)), ...this.facts(unit).map((f) => el("div", {}, f)));
  }
  pick(place) {
    if (place < 0 || place >= this.n) return;
    this.chosen = this.h.order ? this.h.order[place] : place;
    this.draw();
  }

  open() {
    if (this.chosen !== null) this.ask("open", this.a.units ? this.a.units[this.chosen] : this.chosen);
  }

  placeAt(event) {
    const box = this.canvas.getBoundingClientRect(), { columns } = this.grid;
    const c = Math.floor((event.clientX - box.left) / this.step[0]), r = Math.floor((event.clientY - box.top) / this.step[1]);
    const place = r * columns + c;
    return c >= 0 && c < columns && place >= 0 && place < this.n ? place : null;
  }
  listen() {
    this.canvas.addEventListener("pointermove", (event) => {
      if (!this.h || !this.step) return;
      this.over = this.placeAt(event);
      this.tip.hidden = this.over === null;
      if (this.over !== null) {
        const unit = this.h.order ? this.h.order[this.over] : this.over;
        this.tip.textContent = [this.name(unit), ...this.facts(unit)].join("\n");
        // Beside the tile, never on it.
        const { columns, size } = this.grid, wide = this.canvas.clientWidth, x = (this.over % columns) * this.step[0];
        this.tip.style.left = x > wide / 2 ? "" : `${x + size + 8}px`;
        this.tip.style.right = x > wide / 2 ? `${wide - x + 8}px` : "";
        this.tip.style.top = `${Math.floor(this.over / columns) * this.step[1]}px`;
      }
      this.draw();
    });
    this.canvas.addEventListener("pointerleave", () => { this.over = null; this.tip.hidden = true; this.draw(); });
    this.canvas.addEventListener("click", (event) => {
      const place = this.h && this.step ? this.placeAt(event) : null;
      if (place === null) return;
      if (this.h.opens) { this.pick(place); this.open(); return; }
      if (place === this.chosenPlace()) this.chosen = null; else this.pick(place);
      this.draw();
    });
    this.canvas.addEventListener("keydown", (event) => {
      if (!this.h) return;
      if (this.h.opens && event.key === "Enter") { this.open(); return; }
      const at = this.chosenPlace() === null ? -1 : this.chosenPlace();
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + this.grid.columns, ArrowUp: at - this.grid.columns }[event.key];
      if (event.key === "Escape") { this.chosen = null; this.draw(); } else if (to !== undefined) { event.preventDefault(); this.pick(to); }
    });
  }
}

export default function (component) { return show(component, Mosaic); }
