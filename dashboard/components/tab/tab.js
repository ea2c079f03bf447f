// What stands beside no figure: the sign of every press, telling the page when the reader's colours are no longer
// those that its charts were drawn in, and unfolding the sidebar where a press has filled in the form there.

import { show, View } from "../lib/view.js";
import { giveSigns } from "./sign.js";

/** @typedef {{ dark: boolean, form: number }} Header what the page was drawn for, and which form a button opened last */

class Tab extends View {
  /** @type {boolean | undefined} what the page was drawn for */
  drawn;
  /** @type {boolean | undefined} what it was asked to be drawn for: asked once, whatever it answers */
  asked;
  /** @type {number | undefined} */
  form;

  /** @param {HTMLElement} root */
  constructor(root) {
    super(root);
    giveSigns();
  }
  /** @param {{ header: Header }} blob */
  receive({ header }) {
    this.drawn = header.dark;
    if (header.form && this.form !== undefined && header.form !== this.form) unfoldSidebar();
    this.form = header.form;
  }
  draw() {
    if (this.drawn === this.dark) this.asked = undefined;
    else if (this.drawn !== undefined && this.asked !== this.dark) {
      this.asked = this.dark;
      this.ask("dark", this.dark);
    }
  }
}

/** A narrow window begins with its sidebar folded away, where the form would open out of sight. */
function unfoldSidebar() {
  /** @type {HTMLElement | null} */ (
    document.querySelector("[data-testid='stExpandSidebarButton']")
  )?.click();
}

/** @param {import("../lib/view.js").Mounted} component */
export default (component) => show(component, Tab);
