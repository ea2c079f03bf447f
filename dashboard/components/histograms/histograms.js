// Small histograms side by side. header: {version, same, panels: [{title, unit, colour}], of}
// arrays: counts0 int32 (bins), edges0 float32 (bins + 1), counts1, ...

// 4.9·10⁻⁷ instead of 4.91e−7.
function power(x) {
  return pretty(x, 2).replace(/(\.\d)\d?e(−?)(\d+)/, (_, digit, sign, e) => `${digit}·10${sign && "⁻"}${[...e].map((d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[d]).join("")}`);
}

class Histograms {
  constructor(root) {
    this.root = root;
    this.grid = el("div", { class: "grid" });
    this.root.append(el("div", { class: "row spread head" }, el("div", { class: "title" }, "Parameters and their last update"), saveButtons(this)), this.grid,
      el("div", { class: "note" }, "How many parameters have which value, in nats; ↑ is the tallest bar. Heights are square roots of counts, so that the tails stay visible."));
    this.observer = onResize(this, this.root);
  }
  close() { this.observer.disconnect(); }

  receive({ header, arrays }) {
    if (stale(this, header) || header.same) return;
    const fresh = !this.h || this.h.panels.length !== header.panels.length;
    this.h = header;
    this.a = arrays;
    if (fresh) this.grid.replaceChildren(...header.panels.map((p) => el("div", { class: "cell" }, el("div", { class: "name" }, p.title), el("canvas", { role: "img" }))));
  }

  picture() {
    if (!this.h) return null;
    const cells = [...this.grid.children].map((cell) => ({ canvas: cell.lastChild, name: cell.firstChild.textContent }));
    const rows = [];
    while (cells.length) rows.push(cells.splice(0, 3));
    return { title: "Parameters and their last update", name: "histograms", of: this.h.of, rows, note: "Number of parameters by value; ↑ is the tallest bar. Heights are square roots of counts." };
  }
  table() {
    const rows = this.h.panels.flatMap((panel, i) => Array.from(this.a[`counts${i}`], (count, b) => [panel.title, this.a[`edges${i}`][b], this.a[`edges${i}`][b + 1], count]));
    return { columns: ["of", "from", "to", "count"], rows };
  }

  draw() {
    if (!this.ink || !this.h) return;
    this.h.panels.forEach((panel, i) => this.one(this.grid.children[i], panel, this.a[`counts${i}`], this.a[`edges${i}`]));
  }

  one(cell, panel, counts, edges) {
    const canvas = cell.lastChild, em = textScale(), width = Math.floor(cell.clientWidth / em), high = 74, bottom = 30;
    if (!width) return;
    const ctx = sharpen(canvas, width, high + bottom, em), bins = counts.length;
    const low = edges[0], span = edges[bins] - low, top = Math.max(...counts, 1), total = counts.reduce((a, b) => a + b, 0);
    // Square root of the count: the tails, which say most, stay visible.
    ctx.fillStyle = this.ink.lines[panel.colour];
    for (let b = 0; b < bins; b++) {
      const x0 = ((edges[b] - low) / span) * width, x1 = ((edges[b + 1] - low) / span) * width;
      const y = Math.sqrt(counts[b] / top) * (high - 4);
      ctx.fillRect(x0, high - y, Math.max(0.7, x1 - x0 - 0.4), y);
    }
    ctx.strokeStyle = this.ink.line;
    ctx.beginPath();
    ctx.moveTo(0, high + 0.5);
    ctx.lineTo(width, high + 0.5);
    if (low < 0 && low + span > 0) { ctx.moveTo((-low / span) * width, 0); ctx.lineTo((-low / span) * width, high); }
    ctx.stroke();
    ctx.fillStyle = this.ink.text;
    ctx.globalAlpha = 0.75;
    ctx.font = `11px ${this.ink.font}`;
    ctx.textAlign = "left";
    ctx.fillText(`↑ ${pretty(top)}`, 0, 9);
    ctx.fillText(power(low), 0, high + 14);
    ctx.textAlign = "right";
    ctx.fillText(power(low + span), width, high + 14);
    ctx.globalAlpha = 1;
    canvas.setAttribute("aria-label", `${panel.title}: ${total} values from ${pretty(low, 2)} to ${pretty(low + span, 2)}`);
  }
}

export default function (component) { return show(component, Histograms); }
