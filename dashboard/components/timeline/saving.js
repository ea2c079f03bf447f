// Saving the training's timelapse as an animation. It is made beside the server while the page goes on; each refresh
// says how far it is, and the view takes the file once.

import { el } from "../lib/dom.js";
import { download } from "../lib/save.js";

const ASK_AGAIN = 4000; // ms
const OFFER = "save as …";
const TITLE = "Save the training as an animation";

/** @typedef {{ number: number, words: string, file: string, made: boolean, failed: boolean }} Progress of an animation */

/** The picker of what to save, and the exchange with the page about the animation asked for. */
export class Saving {
  /** @param {import("../lib/view.js").View} view what asks the page: "export" = a wish */
  constructor(view) {
    this.view = view;
    /** @type {number | undefined} the number of the animation asked for, until its file is here */
    this.number = undefined;
    this.taking = false;
    this.timer = 0;
    this.picker = el("select", {
      class: "saving",
      "aria-label": TITLE,
      title: `${TITLE}: one frame a snapshot, with run, step and seed beneath`,
      onchange: () => this.start(),
    });
    this.picker.append(el("option", { value: "" }, OFFER));
    for (const subject of ["filters", "fantasies"]) {
      for (const [format, name] of [
        ["gif", "GIF"],
        ["webp", "WebP"],
      ]) {
        this.picker.append(el("option", { value: `${subject} ${format}` }, `${subject}, ${name}`));
      }
    }
  }
  close() {
    clearInterval(this.timer);
  }
  start() {
    const [subject, format] = this.picker.value.split(" ");
    if (this.number !== undefined) this.picker.value = ""; // one at a time
    if (!format || this.number !== undefined) return;
    this.number = Date.now();
    this.taking = false;
    this.wish({ subject, format, number: this.number });
    this.show("starting …");
  }
  /**
   * Asks until it is answered.
   * @param {object} wish
   */
  wish(wish) {
    this.view.ask("export", wish);
    clearInterval(this.timer);
    this.timer = setInterval(() => this.view.ask("export", wish), ASK_AGAIN);
  }
  /** @param {string} words in place of the offer; none: nothing is being made */
  show(words) {
    this.picker.options[0].textContent = words || OFFER;
    this.picker.value = "";
    this.picker.classList.toggle("busy", Boolean(words));
    this.picker.setAttribute("aria-busy", String(Boolean(words)));
  }
  end() {
    clearInterval(this.timer);
    this.number = undefined;
    this.show("");
  }
  /**
   * What a refresh says about it, and the file where the view asked for it.
   * @param {Progress | undefined} progress
   * @param {Uint8Array<ArrayBuffer> | undefined} bytes
   */
  receive(progress, bytes) {
    if (!progress || progress.number !== this.number) return;
    if (progress.failed)
      this.end(); // the page says why
    else if (bytes) {
      download(new Blob([bytes], { type: `image/${progress.file.split(".").pop()}` }), progress.file);
      this.view.ask("export", { got: this.number });
      this.end();
    } else this.wait(progress);
  }
  /** @param {Progress} progress */
  wait(progress) {
    this.show(progress.made ? "saving …" : progress.words);
    if (!progress.made) clearInterval(this.timer);
    else if (!this.taking) {
      this.taking = true;
      this.wish({ take: this.number });
    }
  }
}
