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
    if (view.close) view.close();
  });
}

// The server sends a payload once and then only its version. A view that holds another version
// (it was mounted later, or a message was overtaken) asks for the whole.
function stale(view, header) {
  if (header.same && view.version !== header.version) {
    view.ask("need", 1);
    return true;
  }
  if (!header.same) view.version = header.version;
  return false;
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
// Sets a canvas to css size at the screen's own pixels; returns its context in css units.
function sharpen(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const w = Math.max(1, Math.round(width * ratio)), h = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
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
  return text.replace("-", "−");
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
