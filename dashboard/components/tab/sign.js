// The sign that every press gets at once, until the app has answered: a bar runs along the page's upper edge, and the
// pressed control says that it is busy. The style sheets show both by `aria-busy`.
//
// Streamlit itself says that it works only when the app says so, a round trip later. Whatever was pressed, what it asks
// of the app goes out through the page's connection: that is where a press that asks is known from one that does not.

import { asks, run } from "./wire.js";

const PRESSES = ["pointerdown", "pointerup", "click", "keydown", "input"];
const CONTROLS = "button, a, summary, select, input, [role='option'], [role='slider'], canvas[tabindex]";
const SOON = 300; // ms: Streamlit's sliders wait for 200 before they ask; players tell of their rest later
const LOST_AFTER = 15000; // ms without a run that begins

/** One of a browser tab, for as long as it shows the app. */
class Sign {
  /** @type {Element | null} the control pressed last */
  pressed = null;
  at = Number.NEGATIVE_INFINITY;
  /** @type {Set<Element>} what says that it is busy */
  busy = new Set();
  answer = new AbortController();

  constructor() {
    const press = (/** @type {Event} */ event) => this.press(event);
    for (const kind of PRESSES) window.addEventListener(kind, press, { capture: true, passive: true });
    const sign = this;
    const { send } = WebSocket.prototype;
    WebSocket.prototype.send = function (message) {
      send.call(this, message);
      if (message instanceof Uint8Array && asks(message)) sign.asked(this);
    };
  }
  /** @param {Event} event */
  press(event) {
    const isControl = (/** @type {EventTarget} */ one) => one instanceof Element && one.matches(CONTROLS);
    const control = /** @type {Element | undefined} */ (event.composedPath().find(isControl)) ?? null;
    if (event.type === "keydown" && !control) return; // it scrolls the page
    this.pressed = control;
    this.at = performance.now();
  }
  /**
   * The page has asked the app for something. What it asks first and soon after a press, the press asked for; what
   * follows the view of a component asks for itself.
   * @param {WebSocket} connection
   */
  asked(connection) {
    if (performance.now() - this.at > SOON) return;
    this.at = Number.NEGATIVE_INFINITY;
    this.say(document.querySelector("[data-testid='stApp']"));
    this.say(this.pressed);
    this.answer.abort(); // the newest question's answer ends the sign
    this.answer = new AbortController();
    const { signal } = this.answer;
    const lost = setTimeout(() => this.end(signal), LOST_AFTER);
    let begun = false;
    const hear = (/** @type {MessageEvent} */ event) => {
      const word = run(new Uint8Array(event.data));
      if (word === "begins") {
        begun = true;
        clearTimeout(lost);
      } else if (word === "ends" && begun) this.endSoon(signal);
    };
    connection.addEventListener("message", hear, { signal });
    connection.addEventListener("close", () => this.end(signal), { signal });
    signal.addEventListener("abort", () => clearTimeout(lost));
  }
  /** @param {Element | null} element */
  say(element) {
    if (!element || element.hasAttribute("aria-busy")) return;
    element.setAttribute("aria-busy", "true");
    this.busy.add(element);
  }
  /**
   * Once the browser has painted what came.
   * @param {AbortSignal} signal
   */
  endSoon(signal) {
    requestAnimationFrame(() => requestAnimationFrame(() => this.end(signal)));
  }
  /** @param {AbortSignal} signal of the question that was answered, or given up */
  end(signal) {
    if (signal.aborted) return;
    this.answer.abort();
    for (const element of this.busy) element.removeAttribute("aria-busy");
    this.busy.clear();
  }
}

/** Gives the presses of this tab their sign from now on. */
export function giveSigns() {
  const tab = /** @type {{ __rbmSign?: Sign }} */ (window);
  tab.__rbmSign ??= new Sign();
}
