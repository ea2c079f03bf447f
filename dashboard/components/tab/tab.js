// What stands beside no figure: the sign of every press, and telling the page when the reader's colours are no longer
// those that its charts were drawn in.

import { show, View } from "../lib/view.js";
import { giveSigns } from "./sign.js";

/** @typedef {{ dark: boolean }} Header what the page was drawn for */

class Tab extends View {
  /** @type {boolean | undefined} what the page was drawn for */
  drawn;
  /** @type {boolean | undefined} what it was asked to be drawn for: asked once, whatever it answers */
  asked;

  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    giveSigns();
  }
  /** @param {{ header: Header }} blob */
  receive({ header }) {
    this.drawn = header.dark;
  }
  draw() {
    if (this.drawn === this.dark) this.asked = undefined;
    else if (this.drawn !== undefined && this.asked !== this.dark) {
      this.asked = this.dark;
      this.ask("dark", this.dark);
    }
  }
}

/** @param {import("../lib/view.js").Mounted} component */
export default (component) => show(component, Tab);
