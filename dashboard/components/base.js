// What every canvas component needs: one view per mounted element, colours of the theme, sharp canvases.

// Streamlit calls the exported function again whenever data or theme change. The view is made once and
// kept on the element, so zoom, hover and selection survive; the newest setters are kept with it.
function show(component, View) {
  const { parentElement, data, setStateValue, setTriggerValue } = component;
  let view = parentElement.__view;
  if (!view) {
    view = parentElement.__view = new View(parentElement.querySelector("div"));
    window.__rbmMounts = (window.__rbmMounts || 0) + 1; // browser tests count remounts
  }
  view.say = setStateValue;
  view.ask = setTriggerValue;
  const dark = isDark(parentElement);
  const themed = view.dark !== dark;
  view.dark = dark;
  view.ink = inks(parentElement);
  if (data && (themed || view.seen !== data)) {
    const fresh = view.seen !== data;
    view.seen = data;
    if (fresh) view.receive(unpack(data));
  }
  view.draw();
  // Streamlit also calls this for a call that newer data overtook, while the element lives on: so the view is
  // closed only once its element has left the page.
  return () => setTimeout(() => {
    if (parentElement.isConnected || parentElement.__view !== view) return;
    parentElement.__view = undefined;
    clearInterval(view.needing);
    if (view.close) view.close();
  });
}

// The server sends a payload once and then only its version. A view that holds another version
// (it was mounted later, or a message was overtaken) asks for the whole.
function stale(view, header) {
  if (header.same && view.version !== header.version) {
    need(view);
    return true;
  }
  clearInterval(view.needing);
  if (!header.same) view.version = header.version;
  return false;
}
// Asks until it is answered: a server that is starting the page anew passes over a question, and a page at rest
// would send nothing else ever.
function need(view) {
  view.ask("need", 1);
  clearInterval(view.needing);
  view.needing = setInterval(() => view.ask("need", 1), 3000);
}

function cssColour(element, name, fallback) {
  return getComputedStyle(element.host || element).getPropertyValue(name).trim() || fallback;
}
function isDark(element) {
  const probe = document.createElement("canvas").getContext("2d");
  probe.fillStyle = cssColour(element, "--st-background-color", "#ffffff");
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(probe.fillStyle.slice(i, i + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b < 128;
}
function inks(element) {
  const text = cssColour(element, "--st-text-color", "#222222");
  return {
    text, font: cssColour(element, "--st-font", "sans-serif"),
    paper: cssColour(element, "--st-background-color", "#ffffff"),
    panel: cssColour(element, "--st-secondary-background-color", "#f2f2f2"),
    line: cssColour(element, "--st-border-color", "#cccccc"),
    accent: cssColour(element, "--st-primary-color", "#0072B2"),
    lines: PALETTE[isDark(element) ? "dark" : "light"].lines,
  };
}
// 256 colours as a canvas holds them (ABGR in a Uint32) along evenly spaced stops.
function colourTable(stops) {
  const rgb = stops.map((s) => [1, 3, 5].map((i) => parseInt(s.slice(i, i + 2), 16)));
  const table = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (rgb.length - 1);
    const k = Math.min(Math.floor(at), rgb.length - 2);
    const [r, g, b] = rgb[k].map((c, j) => Math.round(c + (rgb[k + 1][j] - c) * (at - k)));
    table[i] = ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  }
  return table;
}

// A DOM element: el("button", {class: "a", title: "b", onclick: f}, "text", child, ...)
function el(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (name.startsWith("on")) node[name] = value;
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}
// An icon from one SVG path on a 24 x 24 grid: media glyphs of fonts can render as boxes.
function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}
// Device pixels a css pixel: the screen's own, or finer while a figure is drawn to be saved.
let fineness = 0;
function pixelRatio() { return Math.max(fineness, window.devicePixelRatio || 1); }
// How much larger than usual the reader wants text. A canvas with text in it is laid out in units of this many
// css pixels, so that its letters and lines grow with the page.
function textScale() { return parseFloat(getComputedStyle(document.documentElement).fontSize) / 16 || 1; }
// Sets a canvas to a size in units of `scale` css pixels, at the screen's own pixels; returns its context in such units.
function sharpen(canvas, width, height, scale = 1) {
  const ratio = pixelRatio() * scale;
  const w = Math.max(1, Math.round(width * ratio)), h = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width * scale}px`;
    canvas.style.height = `${height * scale}px`;
  }
  const ctx = canvas.getContext("2d");
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, width, height);
  return ctx;
}
function onResize(view, element) {
  let width = 0;
  const observer = new ResizeObserver(() => {
    const now = Math.floor(element.clientWidth);
    if (now && now !== width) {
      width = now;
      requestAnimationFrame(() => view.draw());
    }
  });
  observer.observe(element);
  return observer;
}

// Numbers as people read them: 12,345 · 0.0123 · 1.2e-5 · with a true minus sign.
function pretty(x, digits = 4) {
  if (x === null || x === undefined || Number.isNaN(x)) return "–";
  if (x === 0) return "0";
  const a = Math.abs(x);
  let text;
  if (a < 1e-3 || a >= 1e7) text = x.toExponential(2).replace("e+", "e");
  else if (Number.isInteger(x)) text = x.toLocaleString("en-US");
  else text = a >= 10000 ? Math.round(x).toLocaleString("en-US") : String(Number(x.toPrecision(digits)));
  return text.replaceAll("-", "−");
}
function clock(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}
// Round tick values, about `count` of them, covering [low, high].
function ticks(low, high, count) {
  const span = high - low;
  if (!(span > 0)) return [low];
  const raw = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((m) => m >= raw * 0.999);
  const out = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) out.push(k * step);
  return out;
}

// Taking a figure away. A view that has picture() puts saveButtons(this) somewhere quiet on its figure:
//   picture() -> { title, name, of: {run, step, seed, more}, rows, legend, note }, or null while there is nothing
//     name: what the figure is called in the file's name; of: where it comes from (any of them may be missing)
//     rows: [[canvas | {canvas, name}]], side by side and below one another; legend: [[colour, text]]
//   table() -> { columns: [name], rows: [[value]] }, where the numbers can be had too
// The picture is drawn anew at two pixels a css pixel or finer (by draw()), on the page's paper, and says its source.
function saveButtons(view) {
  const button = (kind, words, act) => el("button", { type: "button", class: "save", title: words, "aria-label": words, onclick: act }, kind);
  const row = el("span", { class: "saves" }, button("PNG", "Save this figure as PNG, with its run and step", () => savePicture(view)));
  if (view.table) row.append(button("CSV", "Save the numbers of this figure as CSV", () => saveTable(view)));
  return row;
}
function sourceOf({ run, step, seed, more }) {
  const known = (x) => x !== null && x !== undefined && x !== "";
  return [known(run) && `run ${run}`, known(step) && `step ${pretty(step)}`, known(seed) && `seed ${seed}`, more].filter(Boolean).join(" · ");
}
function fileOf({ run, step }, name) {
  return [run, step === null || step === undefined ? null : `step-${step}`, name].filter(Boolean).join("-").replace(/[^\p{L}\p{N}._-]+/gu, "-");
}
function download(blob, file) {
  const link = el("a", { href: URL.createObjectURL(blob), download: file });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
function saveTable(view) {
  const picture = view.picture(), table = view.table();
  if (!picture || !table) return;
  const cell = (x) => (x === null || x === undefined || Number.isNaN(x) ? "" : /[",\n]/.test(String(x)) ? `"${String(x).replace(/"/g, '""')}"` : String(x));
  const lines = [table.columns, ...table.rows].map((row) => row.map(cell).join(","));
  download(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }), `${fileOf(picture.of || {}, picture.name)}.csv`);
}
function savePicture(view) {
  fineness = 2;
  try {
    view.draw();
    const picture = view.picture();
    if (picture) compose(picture, view.ink).toBlob((blob) => download(blob, `${fileOf(picture.of || {}, picture.name)}.png`));
  } finally {
    fineness = 0;
    view.draw();
  }
}
// The figure with title, legend, note and source as one canvas.
function compose({ title, of, rows, legend, note }, ink) {
  const ratio = Math.max(2, window.devicePixelRatio || 1), pad = 16, gap = 12;
  const wide = (canvas) => parseFloat(canvas.style.width) || canvas.width / ratio;
  const high = (canvas) => wide(canvas) * (canvas.height / canvas.width);
  const cells = rows.map((row) => row.map((one) => (one.canvas ? one : { canvas: one })).filter(({ canvas }) => canvas.width > 1));
  const body = Math.max(320, ...cells.map((row) => row.reduce((sum, { canvas }) => sum + wide(canvas) + gap, -gap)));
  const out = document.createElement("canvas"), ctx = out.getContext("2d");
  const small = `12px ${ink.font}`, large = `600 16px ${ink.font}`;
  const wrap = (text) => {
    const lines = [];
    for (const word of text.split(/\s+/)) {
      const longer = lines.length ? `${lines[lines.length - 1]} ${word}` : word;
      if (lines.length && ctx.measureText(longer).width <= body) lines[lines.length - 1] = longer; else lines.push(word);
    }
    return lines;
  };
  // Twice: first to learn the height, then to draw.
  const lay = (draw) => {
    let y = pad;
    const write = (text, font, alpha, step) => {
      ctx.font = font;
      for (const line of wrap(text)) {
        ctx.globalAlpha = alpha;
        ctx.fillStyle = ink.text;
        if (draw) ctx.fillText(line, pad, y + step * 0.75);
        y += step;
      }
      ctx.globalAlpha = 1;
    };
    if (title) write(title, large, 1, 24);
    if (legend && legend.length) {
      let x = pad;
      ctx.font = small;
      for (const [colour, text] of legend) {
        const room = 22 + ctx.measureText(text).width + 16;
        if (x > pad && x + room > pad + body) { x = pad; y += 18; }
        if (draw) {
          ctx.fillStyle = colour;
          ctx.fillRect(x, y + 7, 16, 4);
          ctx.fillStyle = ink.text;
          ctx.fillText(text, x + 22, y + 13);
        }
        x += room;
      }
      y += 24;
    }
    for (const row of cells) {
      const named = row.some((one) => one.name);
      let x = pad, tall = 0;
      for (const { canvas, name } of row) {
        ctx.font = small;
        ctx.fillStyle = ink.text;
        if (draw && name) ctx.fillText(name, x, y + 12);
        if (draw) ctx.drawImage(canvas, x, y + (named ? 18 : 0), wide(canvas), high(canvas));
        x += wide(canvas) + gap;
        tall = Math.max(tall, high(canvas));
      }
      y += tall + (named ? 18 : 0) + 8;
    }
    if (note) write(note, small, 0.75, 17);
    y += 4;
    write(["RBM Observatory", sourceOf(of || {})].filter(Boolean).join(" · "), small, 0.75, 17);
    return y + pad - 6;
  };
  const height = lay(false);
  out.width = Math.ceil((body + 2 * pad) * ratio);
  out.height = Math.ceil(height * ratio);
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.fillStyle = ink.paper;
  ctx.fillRect(0, 0, body + 2 * pad, height);
  lay(true);
  return out;
}
