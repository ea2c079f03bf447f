// Hidden probabilities of fixed probe images: one column a unit, one row an image; below, how active units are.
// header: {version, same, order, labels, of} · arrays: hidden uint8 (cases, units), already in the order; mean float32 (all units)

class Activity {
  constructor(root) {
    this.root = root;
    this.canvas = el("canvas", { role: "img", "aria-label": "Hidden probabilities, units by images" });
    this.bars = el("canvas", { role: "img", "aria-label": "Histogram of the units' mean activation" });
    this.tip = el("div", { class: "tip", hidden: "" });
    this.root.append(el("div", { class: "row spread" }, el("div", { class: "title" }, "Hidden units on probe images"), saveButtons(this)),
      el("div", { class: "stage" }, this.canvas, this.tip),
      el("div", { class: "note" }, "p(h = 1 | v): black is 0, white is 1. Dark columns are units that never fire, white ones always do; a row unlike the others is an image unlike the others."),
      el("div", { class: "title second" }, "How active are the units"), this.bars);
    this.off = document.createElement("canvas");
    this.observer = onResize(this, this.root);
    this.listen();
  }
  close() { this.observer.disconnect(); }

  receive({ header, arrays }) {
    if (stale(this, header) || header.same) return;
    this.h = header;
    this.a = arrays;
    const [cases, units] = arrays.hidden.shape, image = new Uint32Array(cases * units), grey = colourTable(PALETTE.grey);
    this.off.width = units;
    this.off.height = cases;
    for (let c = 0; c < cases; c++) for (let u = 0; u < units; u++) image[c * units + u] = grey[arrays.hidden[c * units + u]];
    this.off.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(image.buffer), units, cases), 0, 0);
  }

  picture() {
    return this.h ? { title: "Hidden units on probe images", name: "hidden-units", of: this.h.of, rows: [[this.canvas], [this.bars]], note: "p(h = 1 | v): black is 0, white is 1. Below, how active the units are." } : null;
  }

  draw() {
    if (!this.ink || !this.h) return;
    const em = textScale(), width = Math.floor(this.root.clientWidth / em), [cases, units] = this.a.hidden.shape;
    if (!width) return;
    const left = 26, bottom = 18, room = width - left, high = Math.min(230, Math.max(120, cases * 2.2));
    const ctx = sharpen(this.canvas, width, high + bottom, em);
    ctx.imageSmoothingEnabled = units > room;
    ctx.imageSmoothingQuality = "high";
    ctx.drawImage(this.off, left, 0, room, high);
    ctx.fillStyle = this.ink.text;
    ctx.globalAlpha = 0.75;
    ctx.font = `11px ${this.ink.font}`;
    ctx.textAlign = "center";
    ctx.fillText(`hidden units (${units})`, left + room / 2, high + 14);
    ctx.save();
    ctx.translate(12, high / 2);
    ctx.rotate(-Math.PI / 2);
    ctx.fillText(`images (${cases})`, 0, 0);
    ctx.restore();
    if (this.h.labels) this.digits(ctx, left, high, cases);
    this.size = { left, room, high };
    this.histogram(width);
  }
  // Probe images are sorted by class: a short rule where one digit ends and the next begins.
  digits(ctx, left, high, cases) {
    ctx.globalAlpha = 0.75;
    const { labels } = this.h;
    for (let c = 0; c < cases; c++) {
      if (c && labels[c] === labels[c - 1]) continue;
      let end = c;
      while (end < cases && labels[end] === labels[c]) end++;
      const y = ((c + end) / 2 / cases) * high;
      ctx.textAlign = "right";
      if (((end - c) / cases) * high > 11) ctx.fillText(String(labels[c]), left - 3, y + 4);
    }
    ctx.globalAlpha = 1;
  }

  histogram(width) {
    const high = 86, bottom = 32, left = 34, bins = 40, counts = new Array(bins).fill(0);
    for (const m of this.a.mean) counts[Math.min(bins - 1, Math.max(0, Math.floor(m * bins)))]++;
    const ctx = sharpen(this.bars, width, high + bottom, textScale()), top = Math.max(...counts), room = width - left - 6;
    ctx.fillStyle = this.ink.lines.blue;
    counts.forEach((c, i) => ctx.fillRect(left + (i / bins) * room + 0.5, high - (c / top) * (high - 8), room / bins - 1, (c / top) * (high - 8)));
    ctx.strokeStyle = this.ink.line;
    ctx.beginPath();
    ctx.moveTo(left, high + 0.5);
    ctx.lineTo(left + room, high + 0.5);
    ctx.stroke();
    ctx.fillStyle = this.ink.text;
    ctx.globalAlpha = 0.75;
    ctx.font = `11px ${this.ink.font}`;
    ctx.textAlign = "right";
    ctx.fillText(String(top), left - 5, 14);
    ctx.fillText("0", left - 5, high);
    ctx.textAlign = "center";
    for (const t of [0, 0.25, 0.5, 0.75, 1]) ctx.fillText(String(t), left + t * room, high + 14);
    ctx.fillText("mean activation of a unit  ·  height: number of units", left + room / 2, high + 29);
    ctx.globalAlpha = 1;
  }

  listen() {
    this.canvas.addEventListener("pointermove", (event) => {
      if (!this.size) return;
      const box = this.canvas.getBoundingClientRect(), [cases, units] = this.a.hidden.shape;
      const em = textScale(), x = (event.clientX - box.left) / em, y = (event.clientY - box.top) / em;
      const u = Math.floor(((x - this.size.left) / this.size.room) * units), c = Math.floor((y / this.size.high) * cases);
      this.tip.hidden = !(u >= 0 && u < units && c >= 0 && c < cases);
      if (this.tip.hidden) return;
      const unit = this.h.order[u], p = this.a.hidden[c * units + u] / 255;
      this.tip.textContent = `unit ${unit}, image ${c}${this.h.labels ? ` (a ${this.h.labels[c]})` : ""}\np(h=1|v) = ${p.toFixed(2)}\nmean ${this.a.mean[unit].toFixed(3)}`;
      this.tip.style.left = x * em > box.width / 2 ? "" : `${x * em + 16}px`;
      this.tip.style.right = x * em > box.width / 2 ? `${box.width - x * em + 16}px` : "";
      this.tip.style.top = `${em * Math.min(y + 12, this.size.high - 40)}px`;
    });
    this.canvas.addEventListener("pointerleave", () => { this.tip.hidden = true; });
  }
}

export default function (component) { return show(component, Activity); }
