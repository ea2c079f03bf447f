// A run on one page without a server: the app's own players, fed from what the page carries with it.

/** @typedef {(component: import("../lib/view.js").Mounted) => unknown} Player what a component exports */
/**
 * What the page carries: the players by name, the styles and templates of each, the timeline's header, and the texts of
 * the payloads by name, each gzipped and in base64.
 * @typedef {object} Carried
 * @property {Record<string, Player>} players
 * @property {Record<string, { css: string, html: string }>} parts
 * @property {import("../timeline/timeline.js").Header} timeline
 * @property {(name: string) => string} payload
 */

/**
 * The bytes that `pack` in blob.py would make of a header without arrays.
 * @param {object} header
 */
export function packed(header) {
  const text = new TextEncoder().encode(JSON.stringify({ ...header, arrays: [] }));
  const length = text.length + ((8 - ((text.length + 4) % 8)) % 8);
  const bytes = new Uint8Array(4 + length).fill(32);
  new DataView(bytes.buffer).setUint32(0, length, true);
  bytes.set(text, 4);
  return bytes;
}

/**
 * The bytes behind a payload's text.
 * @param {string} text gzip in base64
 */
export async function unzipped(text) {
  const bytes = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** One player in its place on the page. What it tells goes to `heard`. */
class Place {
  /**
   * @param {Element} element
   * @param {Player} player
   * @param {{ css: string, html: string }} part
   * @param {(name: string, value: any) => void} heard
   */
  constructor(element, player, part, heard) {
    this.player = player;
    this.heard = heard;
    this.root = element.attachShadow({ mode: "open" });
    this.root.innerHTML = `<style>${part.css}</style>${part.html}`;
    /** @type {Uint8Array | null} */
    this.data = null;
  }
  /** @param {Uint8Array | null} data */
  show(data) {
    this.data = data;
    this.player({
      parentElement: this.root,
      data,
      setStateValue: this.heard,
      setTriggerValue: this.heard,
    });
  }
}

/** The page: its players, and the moment of the training that two of them show. */
export class Page {
  /** @param {Carried} carried */
  constructor(carried) {
    this.carried = carried;
    this.shown = carried.timeline.shown;
    /** @type {string | null} */
    this.answers = null;
    /** @type {Record<string, Place>} */
    this.places = {};
    for (const element of document.querySelectorAll("[data-player]")) {
      const name = /** @type {string} */ (element.getAttribute("data-player"));
      const kind = element.getAttribute("data-kind") ?? name;
      const heard = (/** @type {string} */ what, /** @type {any} */ value) => this.hear(name, what, value);
      this.places[name] = new Place(element, carried.players[kind], carried.parts[kind], heard);
    }
  }
  async begin() {
    for (const name of ["curves", "film"]) {
      if (this.places[name]) this.places[name].show(await unzipped(this.carried.payload(name)));
    }
    await this.at(this.shown);
    document.documentElement.setAttribute("data-ready", "");
    // The theme follows the reader's; a player takes its colours anew when it is shown again.
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      for (const place of Object.values(this.places)) place.show(place.data);
    });
  }
  /**
   * Shows a moment in every player that has moments.
   * @param {number} step of a snapshot
   */
  async at(step) {
    this.shown = step;
    for (const name of ["filters", "fantasies"]) {
      const data = await unzipped(this.carried.payload(`${name}-${step}`));
      if (this.shown === step) this.places[name].show(data);
    }
    this.refresh();
  }
  refresh() {
    const { timeline } = this.carried;
    const moment = { shown: this.shown, answers: this.answers, follows: this.shown === timeline.newest };
    this.places.timeline.show(packed({ ...timeline, ...moment }));
  }
  /**
   * What a player says: the timeline wishes for a moment, or for a sign of life.
   * @param {string} player
   * @param {string} what
   * @param {any} value
   */
  async hear(player, what, value) {
    if (player !== "timeline") return;
    if (what === "wake") this.refresh();
    if (what !== "at") return;
    this.answers = value.nonce;
    await this.at(value.step === "live" ? this.carried.timeline.newest : value.step);
  }
}

/** @param {Carried} carried */
export default function begin(carried) {
  return new Page(carried).begin();
}
