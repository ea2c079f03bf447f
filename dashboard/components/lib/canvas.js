// Sharp canvases at the screen's own pixels, and letters that grow with the reader's text size.

// Device pixels a css pixel: the screen's own, or finer while a figure is drawn to be saved.
let fineness = 0;

export function pixelRatio() {
  return Math.max(fineness, window.devicePixelRatio || 1);
}

/** Whether a figure is being drawn to be saved: then all of it is drawn, in sight or not. */
export const savingNow = () => fineness > 0;

/**
 * Runs `work` while every canvas is drawn with at least `ratio` device pixels a css pixel.
 * @param {number} ratio
 * @param {() => void} work
 */
export function withFineness(ratio, work) {
  fineness = ratio;
  try {
    work();
  } finally {
    fineness = 0;
  }
}

/**
 * How much larger than usual the reader wants text. A canvas with text in it is laid out in units of this many css
 * pixels, so that its letters and lines grow with the page.
 */
export function textScale() {
  return Number.parseFloat(getComputedStyle(document.documentElement).fontSize) / 16 || 1;
}

/**
 * @param {number} [width] in device pixels
 * @param {number} [height]
 */
export function newCanvas(width = 1, height = 1) {
  return Object.assign(document.createElement("canvas"), { width, height });
}

/**
 * @param {HTMLCanvasElement} canvas
 * @returns {CanvasRenderingContext2D}
 */
export function context(canvas) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
}

/**
 * Sets a canvas to a size in units of `scale` css pixels, at the screen's own pixels; its context, cleared, in such units.
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 * @param {number} [scale]
 */
export function sharpen(canvas, width, height, scale = 1) {
  const ratio = pixelRatio() * scale;
  const w = Math.max(1, Math.round(width * ratio));
  const h = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width * scale}px`;
    canvas.style.height = `${height * scale}px`;
  }
  const ctx = context(canvas);
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, width, height);
  return ctx;
}

/**
 * Writes pixels (ABGR) to a canvas, one a device pixel.
 * @param {HTMLCanvasElement} canvas
 * @param {Uint32Array<ArrayBuffer>} pixels
 * @param {number} width
 * @param {number} height
 */
export function putPixels(canvas, pixels, width, height) {
  canvas.width = width;
  canvas.height = height;
  context(canvas).putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), width, height), 0, 0);
}

/**
 * Where the pointer is in a canvas, in units of `scale` css pixels.
 * @param {MouseEvent} event
 * @param {Element} canvas
 * @param {number} [scale]
 * @returns {[number, number]}
 */
export function spotOf(event, canvas, scale = 1) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) / scale, (event.clientY - box.top) / scale];
}

/**
 * Breaks words into lines of at most `width` units, in the context's font.
 * @param {CanvasRenderingContext2D} ctx
 * @param {string} text
 * @param {number} width
 */
export function wrapped(ctx, text, width) {
  /** @type {string[]} */
  const lines = [];
  for (const word of text.split(/\s+/)) {
    const longer = lines.length ? `${lines[lines.length - 1]} ${word}` : word;
    if (lines.length && ctx.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/**
 * A straight line; the context's own colour and width.
 * @param {CanvasRenderingContext2D} ctx
 * @param {number} x0
 * @param {number} y0
 * @param {number} x1
 * @param {number} y1
 */
export function segment(ctx, x0, y0, x1, y1) {
  ctx.beginPath();
  ctx.moveTo(x0, y0);
  ctx.lineTo(x1, y1);
  ctx.stroke();
}

/**
 * A filled dot.
 * @param {CanvasRenderingContext2D} ctx
 * @param {number} x
 * @param {number} y
 * @param {number} radius
 */
export function dot(ctx, x, y, radius) {
  ctx.beginPath();
  ctx.arc(x, y, radius, 0, 7);
  ctx.fill();
}
