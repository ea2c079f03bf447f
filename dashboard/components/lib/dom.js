// Elements of a page.

/**
 * An element: el("button", { class: "a", title: "b", onclick: f }, "text", child, …). Names that begin with "on" are
 * handlers; an attribute that is null, undefined or false is left out.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [props]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) Object.assign(node, { [name]: value });
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/**
 * The first element below `root` that a selector finds. A template that lacks it is a bug: Error.
 * @template {Element} [T=HTMLElement]
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => T} [kind] what it must be an instance of, where more than an HTMLElement is needed
 * @returns {T}
 */
export function find(root, selector, kind) {
  const node = root.querySelector(selector);
  if (!node || (kind && !(node instanceof kind)))
    throw new Error(`no ${kind?.name ?? "element"} at ${selector}`);
  return /** @type {T} */ (node);
}

/**
 * The canvas below `root` that a selector finds.
 * @param {ParentNode} root
 * @param {string} [selector]
 */
export const findCanvas = (root, selector = "canvas") => find(root, selector, HTMLCanvasElement);

/**
 * An icon from one SVG path on a 24 × 24 grid, because media glyphs of fonts can render as boxes.
 * @param {string} path
 */
export function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

export const PLAY = "M8 5v14l11-7z";
export const PAUSE = "M6 5h4v14H6zm8 0h4v14h-4z";
