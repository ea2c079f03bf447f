// One image of cells on a colour scale, or a film of such images beside curves that share its cursor.
// header: {version, key, title, note, name, of, shape: [rows, columns], signed, low, high, unit, noun, height,
//          picks, picks_words, marked, frames: [label] | null, steps: the frames' own steps, at, moves, play_words,
//          beside: a still image stands left of the film; curves: [{name, unit, colour}], ends: [left, right] of the curves' axis}
// arrays: cells float32 (frames, count); names int32 (count): the number of each cell; beside float32 (count);
//         curves float32 (curves, frames); x float32 (frames): places of the frames on that axis, 0 to 1
// says: open = the number of the cell picked; moment = the frame the film was left at, where header.moves

const PLAY = "M8 5v14l11-7z", PAUSE = "M6 5h4v14H6zm8 0h4v14h-4z";
const CHART = { height: 84, left: 8, right: 8, top: 22, bottom: 8 };

class CellMap {
  constructor(root) {
    this.root = root;
    this.at = 0;
    this.over = null;
    this.playing = false;
    this.build();
  }

  build() {
    this.title = el("div", { class: "title" });
    this.canvas = el("canvas", { role: "img" });
    this.tip = el("div", { class: "tip", hidden: "" });
    this.still = el("canvas", { role: "img" });
    this.stage = el("div", { class: "stage" }, this.canvas, this.tip);
    this.chart = el("canvas", { role: "img" });
    this.charts = el("div", { class: "charts" }, this.chart);
    this.playButton = el("button", { onclick: () => this.toggle() }, icon(PLAY));
    this.slider = el("input", { type: "range", min: 0, step: 1, oninput: () => this.go(Number(this.slider.value)), onchange: () => this.settle() });
    this.player = el("div", { class: "row player" }, this.playButton, this.slider);
    this.frameText = el("div", { class: "frame" });
    this.left = el("div", {}, el("div", { class: "pair" }, this.still, this.stage), this.player, this.frameText);
    this.note = el("div", { class: "note" });
    this.scaleBar = el("canvas", { class: "scale", role: "img" });
    this.root.append(el("div", { class: "row" }, this.title, saveButtons(this)), el("div", { class: "body" }, this.left, this.charts),
      el("div", { class: "row spread foot" }, this.note, this.scaleBar));
    this.off = document.createElement("canvas");
    this.stillOff = document.createElement("canvas");
    this.observer = onResize(this, this.root);
    this.listen();
  }
  close() {
    this.observer.disconnect();
    clearInterval(this.timer);
  }

  receive({ header, arrays }) {
    const other = !this.h || this.h.key !== header.key;
    this.h = header;
    this.a = arrays;
    this.n = arrays.cells.shape[1];
    this.frames = arrays.cells.shape[0];
    if (other || (header.moves && !this.playing)) this.at = header.at;
    this.at = Math.min(this.at, this.frames - 1);
    if (other) this.stop();
    this.over = null;
    this.tip.hidden = true;
    this.slider.max = this.frames - 1;
    this.slider.setAttribute("aria-label", header.play_words || "");
    this.player.hidden = this.frames < 2;
    this.player.style.display = this.frames < 2 ? "none" : "";
    this.frameText.style.display = header.frames ? "" : "none";
    this.charts.style.display = header.curves && header.curves.length ? "" : "none";
    this.still.style.display = header.beside ? "" : "none";
    this.stage.classList.toggle("picks", Boolean(header.picks));
    if (header.picks) this.canvas.setAttribute("tabindex", "0"); else this.canvas.removeAttribute("tabindex");
    this.setPlay();
  }

  // The film
  go(frame) {
    this.at = Math.max(0, Math.min(this.frames - 1, frame));
    this.draw();
  }
  settle() { if (this.h.moves) this.ask("moment", this.at); }
  toggle() {
    if (this.playing) { this.stop(); this.settle(); return; }
    if (this.at >= this.frames - 1) this.at = 0;
    this.playing = true;
    this.timer = setInterval(() => {
      this.go(this.at + 1);
      if (this.at >= this.frames - 1) { this.stop(); this.settle(); }
    }, Math.max(60, Math.min(160, 6000 / this.frames)));
    this.setPlay();
  }
  stop() {
    clearInterval(this.timer);
    this.playing = false;
    this.setPlay();
  }
  setPlay() {
    const words = this.playing ? "Pause" : (this.h && this.h.play_words) || "Play";
    this.playButton.replaceChildren(icon(this.playing ? PAUSE : PLAY));
    this.playButton.title = words;
    this.playButton.setAttribute("aria-label", words);
  }

  // The picture
  colours() { return colourTable(this.h.signed ? PALETTE[this.dark ? "dark" : "light"].diverging : PALETTE.grey); }
  paint(off, cells, start) {
    const [rows, columns] = this.h.shape, image = new Uint32Array(rows * columns), { low, high } = this.h;
    const table = this.colours(), span = high - low || 1;
    for (let i = 0; i < this.n; i++) {
      image[i] = table[Math.max(0, Math.min(255, Math.round(((cells[start + i] - low) / span) * 255)))];
    }
    off.width = columns;
    off.height = rows;
    off.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(image.buffer), columns, rows), 0, 0);
  }
  draw() {
    if (!this.ink || !this.h) return;
    const width = Math.floor(this.root.clientWidth);
    if (!width) return;
    const [rows, columns] = this.h.shape, ratio = pixelRatio();
    const charts = Boolean(this.h.curves && this.h.curves.length);
    const pictures = this.h.beside ? 2 : 1, aside = charts && width >= 520 * pictures;
    const room = ((aside ? Math.min(width - 260, 0.62 * width) : width) - 12 * (pictures - 1)) / pictures;
    const grain = Math.max(1 / ratio, Math.floor(Math.min(room / columns, (this.h.height || 340) / rows) * ratio) / ratio);
    this.size = Math.min(grain, 60);
    const w = columns * this.size, h = rows * this.size;
    if (this.h.beside) this.put(this.still, this.stillOff, this.a.beside, 0, w, h);
    const ctx = this.put(this.canvas, this.off, this.a.cells, this.at * this.n, w, h);
    const marked = this.h.marked === null || this.h.marked === undefined ? null : this.a.names.indexOf(this.h.marked);
    for (const [cell, colour, wide] of [[this.over, this.ink.text, 1.5], [marked, this.ink.lines.orange, 2.5]]) {
      if (cell === null || cell < 0) continue;
      ctx.strokeStyle = colour;
      ctx.lineWidth = wide;
      ctx.strokeRect((cell % columns) * this.size - 0.5, Math.floor(cell / columns) * this.size - 0.5, this.size + 1, this.size + 1);
    }
    this.left.style.width = `${Math.max(w * pictures + 12 * (pictures - 1), Math.min(width, 200))}px`;
    this.title.textContent = this.h.title;
    this.note.textContent = this.h.note;
    this.slider.value = this.at;
    if (this.h.frames) {
      this.frameText.textContent = this.h.frames[this.at];
      this.slider.setAttribute("aria-valuetext", this.h.frames[this.at]);
    }
    this.canvas.setAttribute("aria-label", `${this.h.title}: ${rows} by ${columns} cells. ${this.h.note}`);
    this.drawScale();
    if (charts) this.drawCharts(width, aside ? h + 50 : 0);
  }
  put(canvas, off, cells, start, w, h) {
    this.paint(off, cells, start);
    const ctx = sharpen(canvas, w, h);
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(off, 0, 0, w, h);
    ctx.strokeStyle = this.ink.line;
    ctx.lineWidth = 1;
    ctx.strokeRect(0.5, 0.5, w - 1, h - 1);
    return ctx;
  }
  drawScale() {
    const wide = 198, ctx = sharpen(this.scaleBar, wide, 30, textScale()), table = this.colours(), { low, high } = this.h;
    for (let i = 0; i < 150; i++) {
      const c = table[Math.round((i / 149) * 255)];
      ctx.fillStyle = `rgb(${c & 255} ${(c >> 8) & 255} ${(c >> 16) & 255})`;
      ctx.fillRect(24 + i, 2, 1.5, 9);
    }
    ctx.strokeStyle = this.ink.line;
    ctx.strokeRect(23.5, 1.5, 151.5, 10);
    ctx.fillStyle = this.ink.text;
    ctx.font = `11px ${this.ink.font}`;
    ctx.textAlign = "center";
    ctx.fillText(pretty(low, 2), 24, 25);
    ctx.fillText(this.h.unit, 99, 25);
    ctx.fillText((this.h.signed ? "+" : "") + pretty(high, 2), 174, 25);
    this.scaleBar.setAttribute("aria-label", `${this.h.unit}, from ${low} to ${high}`);
  }

  // The curves
  drawCharts(width, tall) {
    const body = Math.floor(this.charts.clientWidth) || Math.min(width, 320), K = this.h.curves.length, each = Math.max(CHART.height, Math.floor(tall / K));
    const ctx = sharpen(this.chart, body, K * each + 18), { left, right, top, bottom } = CHART;
    const place = (f) => left + this.a.x[f] * (body - left - right);
    ctx.font = `12px ${this.ink.font}`;
    const words = [];
    this.h.curves.forEach(({ name, unit, colour }, k) => {
      const y0 = k * each + top, y1 = (k + 1) * each - bottom, line = this.a.curves.subarray(k * this.frames, (k + 1) * this.frames);
      let low = Infinity, high = -Infinity;
      for (const value of line) if (Number.isFinite(value)) { low = Math.min(low, value); high = Math.max(high, value); }
      if (!(high > low)) { low -= 0.5; high += 0.5; }
      const y = (value) => y1 - ((value - low) / (high - low)) * (y1 - y0);
      ctx.strokeStyle = this.ink.line;
      ctx.lineWidth = 1;
      ctx.beginPath();
      ctx.moveTo(left, y1 + 0.5);
      ctx.lineTo(body - right, y1 + 0.5);
      if (low < 0 && high > 0) { ctx.moveTo(left, Math.round(y(0)) + 0.5); ctx.lineTo(body - right, Math.round(y(0)) + 0.5); }
      ctx.stroke();
      ctx.strokeStyle = this.ink.lines[colour];
      ctx.lineWidth = 2;
      ctx.lineJoin = "round";
      ctx.beginPath();
      let pen = false;
      line.forEach((value, f) => {
        if (!Number.isFinite(value)) { pen = false; return; }
        if (pen) ctx.lineTo(place(f), y(value)); else ctx.moveTo(place(f), y(value));
        pen = true;
      });
      ctx.stroke();
      const now = line[this.at];
      if (Number.isFinite(now)) {
        ctx.fillStyle = this.ink.lines[colour];
        ctx.beginPath();
        ctx.arc(place(this.at), y(now), 4, 0, 7);
        ctx.fill();
      }
      ctx.fillStyle = this.ink.text;
      ctx.textAlign = "left";
      ctx.font = `600 12px ${this.ink.font}`;
      const label = `${name} ${pretty(now, 3)}${unit ? " " + unit : ""}`;
      ctx.fillText(label, left, y0 - 8);
      const used = ctx.measureText(label).width;
      ctx.font = `11px ${this.ink.font}`;
      const range = `from ${pretty(low, 2)} to ${pretty(high, 2)}`;
      ctx.globalAlpha = 0.68;
      ctx.textAlign = "right";
      if (used + ctx.measureText(range).width + 16 < body) ctx.fillText(range, body - right, y0 - 8);
      ctx.globalAlpha = 1;
      words.push(label);
    });
    ctx.strokeStyle = this.ink.text;
    ctx.globalAlpha = 0.35;
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.moveTo(Math.round(place(this.at)) + 0.5, 4);
    ctx.lineTo(Math.round(place(this.at)) + 0.5, K * each);
    ctx.stroke();
    ctx.globalAlpha = 0.68;
    ctx.fillStyle = this.ink.text;
    ctx.textAlign = "left";
    ctx.fillText(this.h.ends[0], left, K * each + 12);
    ctx.textAlign = "right";
    ctx.fillText(this.h.ends[1], body - right, K * each + 12);
    ctx.globalAlpha = 1;
    this.chart.setAttribute("aria-label", words.join(", "));
    this.place = place;
  }
  frameAt(event) {
    const x = event.clientX - this.chart.getBoundingClientRect().left;
    let best = 0;
    for (let f = 1; f < this.frames; f++) if (Math.abs(this.place(f) - x) < Math.abs(this.place(best) - x)) best = f;
    return best;
  }

  // Pointer and keys
  cellAt(event) {
    const box = this.canvas.getBoundingClientRect(), [rows, columns] = this.h.shape;
    const c = Math.floor((event.clientX - box.left) / this.size), r = Math.floor((event.clientY - box.top) / this.size);
    const cell = r * columns + c;
    return c >= 0 && c < columns && r >= 0 && r < rows && cell < this.n ? cell : null;
  }
  nameOf(cell) {
    const [, columns] = this.h.shape;
    return this.h.noun === "pixel" ? `pixel in row ${Math.floor(cell / columns)}, column ${cell % columns}` : `${this.h.noun} ${this.a.names[cell]}`;
  }
  hover(cell) {
    this.over = cell;
    this.tip.hidden = cell === null;
    if (cell !== null) {
      const [, columns] = this.h.shape, x = (cell % columns) * this.size, y = Math.floor(cell / columns) * this.size;
      const value = `${this.h.unit} ${pretty(this.a.cells[this.at * this.n + cell], 3)}`;
      this.tip.textContent = `${this.nameOf(cell)}\n${value}${this.h.picks ? "\n" + this.h.picks_words : ""}`;
      this.tip.style.left = `${x + this.size + 10}px`;
      this.tip.style.top = `${y + this.size + 6}px`;
    }
    this.draw();
  }
  pick(cell) { if (this.h.picks && cell !== null) this.ask("open", this.a.names[cell]); }
  listen() {
    this.canvas.addEventListener("pointermove", (event) => { if (this.h) this.hover(this.cellAt(event)); });
    this.canvas.addEventListener("pointerleave", () => { if (this.h) this.hover(null); });
    this.canvas.addEventListener("click", (event) => { if (this.h) this.pick(this.cellAt(event)); });
    this.canvas.addEventListener("keydown", (event) => {
      if (!this.h || !this.h.picks) return;
      const [, columns] = this.h.shape, at = this.over === null ? Math.max(0, this.a.names.indexOf(this.h.marked)) : this.over;
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); this.pick(this.over); return; }
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      if (to >= 0 && to < this.n) this.hover(to);
    });
    let down = false;
    this.chart.addEventListener("pointerdown", (event) => {
      down = true;
      this.chart.setPointerCapture(event.pointerId);
      this.go(this.frameAt(event));
    });
    this.chart.addEventListener("pointermove", (event) => { if (down) this.go(this.frameAt(event)); });
    this.chart.addEventListener("pointerup", () => { if (down) { down = false; this.settle(); } });
    this.chart.addEventListener("pointercancel", () => { down = false; });
  }

  // Taking away
  picture() {
    if (!this.h) return null;
    const { title, note, name, of, frames, steps, curves, beside } = this.h;
    const from = steps ? { ...of, step: steps[this.at] } : { ...of, more: frames ? frames[this.at] : undefined };
    const drawn = [...(beside ? [this.still] : []), this.canvas];
    return { title, note, name, of: from, rows: [drawn, ...(curves && curves.length ? [[this.chart]] : []), [this.scaleBar]] };
  }
  /** One row a cell; of a film, one row a frame: its curves, then its cells. */
  table() {
    const { unit, noun, shape, frames, curves } = this.h, [, columns] = shape, { names, cells } = this.a;
    const where = (i) => (noun === "pixel" ? [Math.floor(i / columns), i % columns] : [names[i]]);
    if (!frames) return { columns: [...(noun === "pixel" ? ["row", "column"] : [noun]), unit], rows: Array.from(names, (_, i) => [...where(i), cells[i]]) };
    return { columns: ["frame", ...curves.map((c) => c.name), ...Array.from(names, (_, i) => `${unit} ${where(i).join(" ")}`)],
      rows: frames.map((label, f) => [label, ...curves.map((_, k) => this.a.curves[k * frames.length + f]), ...cells.subarray(f * this.n, (f + 1) * this.n)]) };
  }
}

export default function (component) { return show(component, CellMap); }
