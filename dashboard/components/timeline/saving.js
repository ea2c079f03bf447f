// Saving the training's pictures: the timelapse as an animation, or the moment shown as a still. It is made beside the
// server while the page goes on; each refresh says how far it is, and the view takes the file once.

import { el } from "../lib/dom.js";
import { download } from "../lib/save.js";

const ASK_AGAIN = 4000; // ms
const READ = 8000; // ms that a failure is shown
const OFFER = "save as …";
const TITLE = "Save the training as an animation, or this moment as a picture";
/** [subject and format, words] of what can be saved. */
const CHOICES = [
  ["both png", "this moment, PNG"],
  ["both gif", "filters + fantasies, GIF"],
  ["both webp", "filters + fantasies, WebP"],
  ["filters gif", "filters, GIF"],
  ["filters webp", "filters, WebP"],
  ["fantasies gif", "fantasies, GIF"],
  ["fantasies webp", "fantasies, WebP"],
];

/**
 * Of what is being made, or what became of it.
 * @typedef {object} Progress
 * @property {number} number
 * @property {string} words
 * @property {string} file
 * @property {boolean} made
 * @property {string} failed why there will be no file; "" while there may be one
 */

/** The picker of what to save, and the exchange with the page about the picture asked for. */
export class Saving {
  /**
   * @param {import("../lib/view.js").View & { step: number, follows: boolean }} view what asks the page: "export" = a
   *   wish; and which moment it shows
   */
  constructor(view) {
    this.view = view;
    /** @type {number | undefined} the number of the picture asked for, until its file is here */
    this.number = undefined;
    this.taking = false;
    this.timer = 0;
    this.hiding = 0;
    /** Over the slider, which is in sight wherever the page stands: why nothing was saved. */
    this.refusal = el("div", { class: "silence refusal", role: "alert", hidden: "" });
    this.refusal.onclick = () => this.hide();
    this.picker = el("select", {
      class: "saving",
      "aria-label": TITLE,
      title: `${TITLE}: with run, step and seed beneath`,
      onchange: () => this.start(),
    });
    this.picker.append(el("option", { value: "" }, OFFER));
    this.picker.append(...CHOICES.map(([value, words]) => el("option", { value }, words)));
  }
  close() {
    clearInterval(this.timer);
    clearTimeout(this.hiding);
  }
  hide() {
    this.refusal.hidden = true;
  }
  start() {
    const [subject, format] = this.picker.value.split(" ");
    if (this.number !== undefined) this.picker.value = ""; // one at a time
    if (!format || this.number !== undefined) return;
    this.number = Date.now();
    this.taking = false;
    this.hide();
    const moment = format === "png" && !this.view.follows ? { step: this.view.step } : {};
    this.wish({ subject, format, number: this.number, ...moment });
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
    if (progress.failed) this.refuse(progress.failed);
    else if (bytes) {
      download(new Blob([bytes], { type: `image/${progress.file.split(".").pop()}` }), progress.file);
      this.view.ask("export", { got: this.number });
      this.end();
    } else this.wait(progress);
  }
  /** @param {string} why */
  refuse(why) {
    this.end();
    this.refusal.textContent = why;
    this.refusal.hidden = false;
    clearTimeout(this.hiding);
    this.hiding = setTimeout(() => this.hide(), READ);
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
