// Which of the page's pictures are in sight: while a run trains the server makes the others seldom.

const PICTURES = ["filters", "particles", "activity", "spectrum", "histograms"];
const NEAR = "50%"; // of the window's height: a picture so near counts as in sight, so that it is new when it comes
// ms after which the page is told that a picture has left the window; it is told at once that one comes near.
const LEFT_FOR = 2000;

/** Tells the page, through one of its views, the names of the pictures that are out of sight. */
export class Sight {
  /** @param {import("../lib/view.js").View} view */
  constructor(view) {
    this.view = view;
    /** @type {Map<string, Element>} */
    this.watched = new Map();
    /** @type {Set<string>} */
    this.away = new Set();
    /** @type {string | null} what the page was told last */
    this.told = null;
    this.matters = false;
    this.waiting = 0;
    const root = document.querySelector("[data-testid=stMain]");
    this.observer = new IntersectionObserver((entries) => this.saw(entries), {
      root,
      rootMargin: `${NEAR} 0px`,
    });
  }
  close() {
    this.observer.disconnect();
    clearTimeout(this.waiting);
  }
  /**
   * A refresh came. Streamlit may have put other elements in the place of those watched.
   * @param {boolean} matters whether the run trains and its newest state is shown
   */
  follow(matters) {
    for (const name of PICTURES) {
      const now = document.querySelector(`.st-key-train-${name}`);
      const before = this.watched.get(name);
      if (!now || now === before) continue;
      if (before) this.observer.unobserve(before);
      this.watched.set(name, now);
      this.observer.observe(now);
    }
    if (matters && !this.matters) this.tellSoon();
    this.matters = matters;
  }
  /** @param {IntersectionObserverEntry[]} entries */
  saw(entries) {
    let came = false;
    for (const { target, isIntersecting } of entries) {
      const name = PICTURES.find((one) => this.watched.get(one) === target);
      if (!name) continue;
      if (isIntersecting) came = this.away.delete(name) || came;
      else this.away.add(name);
    }
    if (came) this.tell();
    else this.tellSoon();
  }
  tellSoon() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.tell(), LEFT_FOR);
  }
  tell() {
    const away = [...this.away].sort();
    if (!this.matters || String(away) === this.told) return;
    this.told = String(away);
    this.view.say("away", away);
  }
}
