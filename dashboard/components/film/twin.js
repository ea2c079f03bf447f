// The chosen chain's picture, the training image nearest to it, and where they differ.

import { context } from "../lib/canvas.js";
import { abgr } from "../lib/colour.js";
import { PALETTE } from "../lib/palette.js";
import { rgbOf } from "../lib/theme.js";
import { fitCanvas } from "./arrange.js";
import { knownImage, nameOf } from "./narration.js";

const SIDE = 6; // rem
const BLACK = 0xff000000;
const WHITE = 0xffffffff;

/** @param {import("./player.js").Player} player */
export function paintTwin(player) {
  const { film, chain, frame, box, boards, look, rem } = player;
  const [rows, columns] = film.image_shape;
  const tiles = /** @type {NodeListOf<HTMLCanvasElement>} */ (box.querySelectorAll(".tiles canvas"));
  const cells = Array.from(
    tiles,
    (canvas) => fitCanvas(canvas, rows, columns, SIDE * rem, true, film.table ? rem : 0).cell,
  ); // empties them
  if (!film.nearest) {
    player.write(".twin b", "Nearest training image");
    player.write(".twin .what", "");
    player.write(".twin .note", film.nearest_pending ? "Being looked for…" : "");
    return;
  }
  const near = film.nearestTo(frame >> 1, chain);
  const v = film.picture(film.v(near.sweep, chain));
  const mine = abgr(look.now);
  const known = abgr(rgbOf(PALETTE.dark.lines.blue));
  /** @type {Record<string, (a: boolean, b: boolean) => number>} the pixel where the chain's is a and the image's is b */
  const inks = {
    mine: (a) => (a ? WHITE : BLACK),
    known: (_, b) => (b ? WHITE : BLACK),
    differ: (a, b) => (a && b ? WHITE : a ? mine : b ? known : BLACK),
  };
  const { pixels } = boards.get("twin", columns, rows);
  let differ = 0;
  for (let i = 0; i < film.n_visible; i++) if (v[i] > 0.5 !== near.on(i)) differ++;
  for (const [k, canvas] of tiles.entries()) {
    const inkOf = inks[canvas.dataset.tile ?? "mine"];
    for (let i = 0; i < film.n_visible; i++) pixels[i] = inkOf(v[i] > 0.5, near.on(i));
    const c = context(canvas);
    c.imageSmoothingEnabled = false;
    c.drawImage(boards.shown("twin"), 0, 0, columns * cells[k], canvas.height);
  }
  const image = knownImage(film);
  const number = near.number.toLocaleString("en-US");
  player.write(
    ".twin b",
    `Nearest to ${nameOf(film, chain)}: ${near.label < 255 ? `a ${near.label}` : `a ${image}`}`,
  );
  player.write(".twin .what", `after sweep ${near.sweep}`);
  player.write(
    ".twin .note",
    `Number ${number} of ${film.nearest.source}. ${differ} of ${film.n_visible} pixels differ: orange are the chain's alone, blue the ${image}'s alone.`,
  );
}
