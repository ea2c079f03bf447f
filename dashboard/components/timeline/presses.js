// Whether the page's buttons and refreshes arrive: a press is named to the app and marked until the app has heard it, and
// silence is said.

const KEYED = "st-key-train-do_"; // then the command: the class that Streamlit makes of a button's key
const CHOICES = `.${KEYED}speed [role='radio']`; // beside them stands the button that explains them
const BUTTONS = `[class*='${KEYED}']:not(.${KEYED}speed) button, ${CHOICES}`;
const ASK_AFTER = 10000; // ms without a refresh
const SAY_AFTER = 30000;
const NAME_AGAIN = 1500; // ms
const MOST = 16; // presses that one message names
const LOST_AFTER = { refreshes: 6, ms: 6000 };
const SAY_LOST_FOR = 8000;

/**
 * run: the one shown; command: the button's, such as "step_10"; name: the press's own; refreshes: since the press.
 * @typedef {{ run: string, command: string, name: string, words: string, at: number, refreshes: number }} Press
 */

/** @param {Element} button */
function commandOf(button) {
  const classes = [...(button.closest(`[class*='${KEYED}']`)?.classList ?? [])];
  const command = classes.find((name) => name.startsWith(KEYED))?.slice(KEYED.length) ?? "";
  return command === "speed" ? `speed_${(button.textContent ?? "").trim()}` : command; // one choice of several
}

/** Watches the page of one view, which it may ask for a refresh, and writes what is wrong into an element. */
export class Presses {
  /**
   * @param {import("../lib/view.js").View} view
   * @param {HTMLElement} words
   */
  constructor(view, words) {
    this.view = view;
    this.words = words;
    /** @type {Press[]} those that the app has not answered yet, oldest first */
    this.open = [];
    this.named = 0; // when they were last named to the app
    /** @type {Set<Element>} buttons that may carry a mark */
    this.marked = new Set();
    this.lost = "";
    this.woken = 0;
    this.last = performance.now();
    /** @type {string | undefined} the run that the page shows */
    this.run = undefined;
    this.stop = new AbortController();
    const press = (/** @type {Event} */ event) =>
      this.press(/** @type {Element} */ (event.target).closest?.(BUTTONS));
    document.addEventListener("click", press, { capture: true, signal: this.stop.signal });
    const choose = (/** @type {KeyboardEvent} */ event) => {
      // Streamlit's choices hear the key themselves, and no click follows it.
      const chosen = event.key === "Enter" || event.key === " ";
      if (chosen && /** @type {Element} */ (event.target).closest?.(CHOICES)) press(event);
    };
    document.addEventListener("keydown", choose, { capture: true, signal: this.stop.signal });
    this.watch = setInterval(() => this.listen(), 1000);
  }
  close() {
    this.stop.abort();
    clearInterval(this.watch);
    this.open = [];
    this.mark();
  }

  /**
   * A button of the page was pressed: it is marked at once, and until the app names the press among those it heard.
   * Each press has a name of its own, by which the app obeys it once: Streamlit sends a press twice where its timer falls
   * between click and sending, and may lose one on the way.
   * @param {Element | null} button
   */
  press(button) {
    if (!(button instanceof HTMLElement) || this.run === undefined) return;
    const command = commandOf(button);
    const name = `${Date.now()} ${Math.random()}`;
    // biome-ignore lint/performance/useDomNodeTextContent: the words as the reader sees them
    const words = button.innerText.trim();
    this.open.push({ run: this.run, command, name, words, at: performance.now(), refreshes: 0 });
    this.tell();
    this.mark();
  }
  /** Names the open presses to the app. */
  tell() {
    this.named = performance.now();
    const open = this.open.slice(-MOST);
    this.view.ask(
      "press",
      open.map(({ run, command, name }) => ({ run, command, name })),
    );
  }
  /**
   * A refresh came.
   * @param {string} run the one that it shows
   * @param {string[]} heard the names of the last presses that reached the app
   */
  refreshed(run, heard) {
    this.run = run;
    this.last = performance.now();
    this.answer(new Set(heard));
    if (!this.words.hidden) this.listen();
  }
  /** @param {Set<string>} heard */
  answer(heard) {
    const open = this.open.filter((press) => !heard.has(press.name));
    for (const press of open) press.refreshes += 1;
    // Refreshes that came well after a press and do not name it: it was lost on the way.
    const late = (/** @type {Press} */ press) =>
      press.refreshes >= LOST_AFTER.refreshes && performance.now() - press.at >= LOST_AFTER.ms;
    const lost = open.filter(late);
    const answered = this.open.length - open.length + lost.length;
    this.open = open.filter((press) => !lost.includes(press));
    this.mark();
    if (this.open.length && performance.now() - this.named > NAME_AGAIN) this.tell();
    if (!answered) return;
    this.lost = lost.map(({ words }) => `“${words}” did not reach the app: press it again.`).join(" ");
    if (lost.length) {
      setTimeout(() => {
        this.lost = "";
        this.listen();
      }, SAY_LOST_FOR);
    }
    this.listen();
  }
  /**
   * Marks the buttons whose press is open. A button is known by its command and never by its element: Streamlit takes
   * the element of a button that comes and goes out of the page and puts the same one back later. So elements that left
   * the page marked are looked at too.
   */
  mark() {
    const asked = new Set(this.open.map((press) => press.command));
    for (const button of document.querySelectorAll(BUTTONS)) this.marked.add(button);
    for (const button of this.marked) {
      const marked = asked.has(commandOf(button));
      button.toggleAttribute("data-asked", marked);
      if (!marked) this.marked.delete(button);
    }
  }
  /**
   * A page that hears nothing for 10 s asks, and after 30 s says so; nothing on it moves for that. A computer that
   * starts a trainer may well keep the app from answering for ten seconds: that is no news.
   */
  listen() {
    const now = performance.now();
    if (document.visibilityState !== "visible") this.last = now; // a hidden tab is refreshed rarely
    const quiet = now - this.last;
    if (quiet > ASK_AFTER && now - this.woken > ASK_AFTER) {
      this.woken = now;
      this.view.ask("wake", 1);
    }
    const silent = `No word from the app for ${Math.round(quiet / 1000)} s: it is very busy, or gone. What you see is from then.`;
    const words = quiet > SAY_AFTER ? silent : this.lost;
    this.words.hidden = !words;
    if (this.words.textContent !== words) this.words.textContent = words;
  }
}
