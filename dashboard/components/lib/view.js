// What every canvas component is: one view per mounted element, fed by the page with one blob at a time.

import { unpack } from "./blob.js";
import { inks, isDark } from "./theme.js";

// ms after which a request without an answer is sent again.
const ASK_AGAIN = 3000;

/** @typedef {(name: string, value: unknown) => void} Setter */
/**
 * What Streamlit hands the function that a component exports.
 * @typedef {object} Mounted
 * @property {ShadowRoot & { __view?: View }} parentElement
 * @property {Uint8Array | null} data
 * @property {Setter} setStateValue
 * @property {Setter} setTriggerValue
 */

/** A view of one kind. `root` holds the component's template; a subclass adds receive, draw and close. */
export class View {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    /** @type {Setter} sets a state of the page, which stays */
    this.say = () => {};
    /** @type {Setter} triggers the page once */
    this.ask = () => {};
    this.ink = inks(root);
    this.dark = false;
    /** @type {Uint8Array | null} the payload received last */
    this.seen = null;
    /** @type {string | undefined} of the payload that is shown */
    this.version = undefined;
    this.needing = 0;
  }
  /**
   * Takes a payload.
   * @param {import("./blob.js").Payload} _payload
   */
  receive(_payload) {}
  /** Draws what it has; called after a payload, a change of theme or of width. */
  draw() {}
  /** Ends what runs on its own; called when its element has left the page. */
  close() {}

  /**
   * Says on the view's element what it shows, for the page's style sheets.
   * @param {string} what
   */
  shows(what) {
    const { host } = /** @type {ShadowRoot} */ (this.root.getRootNode());
    host.setAttribute("data-shows", what);
  }

  /**
   * Whether the payload says "same" of a version that this view does not hold, because it was mounted later or a
   * message was overtaken. The server sends a payload once and then only its version, so the view asks for the whole.
   * @param {{ same?: boolean, version: string }} header
   */
  stale(header) {
    if (header.same && this.version !== header.version) {
      this.need();
      return true;
    }
    clearInterval(this.needing);
    if (!header.same) this.version = header.version;
    return false;
  }
  /**
   * Asks for the whole payload until it comes: a server that starts the page anew passes over a question, and a page
   * at rest sends nothing else.
   */
  need() {
    this.ask("need", 1);
    clearInterval(this.needing);
    this.needing = setInterval(() => this.ask("need", 1), ASK_AGAIN);
  }
}

/**
 * Shows a component. Streamlit calls this again whenever data or theme change. The view is made once and kept on the
 * element, so zoom, hover and selection survive; the newest setters are kept with it.
 * @param {Mounted} component
 * @param {new (root: HTMLElement) => View} Kind
 */
export function show(component, Kind) {
  const { parentElement, data, setStateValue, setTriggerValue } = component;
  let view = parentElement.__view;
  if (!view) {
    view = parentElement.__view = new Kind(/** @type {HTMLElement} */ (parentElement.querySelector("div")));
    const counts = /** @type {{ __rbmMounts?: number }} */ (window);
    counts.__rbmMounts = (counts.__rbmMounts ?? 0) + 1; // browser tests count remounts
  }
  view.say = setStateValue;
  view.ask = setTriggerValue;
  view.dark = isDark(parentElement);
  view.ink = inks(parentElement);
  if (data && view.seen !== data) {
    view.seen = data;
    view.receive(unpack(data));
  }
  view.draw();
  return () => setTimeout(() => closeIfGone(parentElement, view));
}

/**
 * Streamlit also ends a call that newer data overtook, while the element lives on: a view is closed only once its
 * element has left the page.
 * @param {Mounted["parentElement"]} element
 * @param {View} view
 */
function closeIfGone(element, view) {
  if (element.isConnected || element.__view !== view) return;
  element.__view = undefined;
  clearInterval(view.needing);
  view.close();
}

/**
 * Paints a view at the browser's next frame, once however often it is asked for until then; not while it has no width.
 * @param {{ box: HTMLElement, waiting: number, paint: () => void }} view
 */
export function paintSoon(view) {
  if (!view.box.clientWidth || view.waiting) return;
  view.waiting = requestAnimationFrame(() => {
    view.waiting = 0;
    if (view.box.isConnected) view.paint();
  });
}

/**
 * Draws a view again when its element's width has changed.
 * @param {View} view
 * @param {Element} element
 */
export function onResize(view, element) {
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
