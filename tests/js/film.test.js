import assert from "node:assert/strict";
import { test } from "node:test";
import { cornerOf, gridOf, gridRoom, panelSide } from "../../dashboard/components/film/layout.js";
import {
  meaningOf,
  nameOf,
  sentence,
  titleOf,
  whereText,
} from "../../dashboard/components/film/narration.js";
import { Shades } from "../../dashboard/components/film/shades.js";
import { Trajectory } from "../../dashboard/components/film/trajectory.js";
import { halfToFloat } from "../../dashboard/components/lib/blob.js";
import { golden, near } from "./golden.js";

/** Calls f(film, expected) for every sweep and chain of the golden films. */
function each(f) {
  for (const name of ["film", "film-gaussian", "film-labels", "film-ordered"]) {
    const { header, arrays } = golden(name);
    const film = new Trajectory({ header, arrays });
    for (let t = 0; t <= film.n_sweeps; t++) {
      for (let k = 0; k < film.n_chains; k++) {
        const row = (what, n, s) =>
          arrays[`expect_${what}`].subarray((s * film.n_chains + k) * n, (s * film.n_chains + k + 1) * n);
        f(film, t, k, {
          v: () => row("v", film.n_visible, t),
          mean_v: () => row("mean_v", film.n_visible, t),
          pixels: () => row("pixels", film.n_visible, t),
          h: () => row("h", film.n_hidden, t - 1),
          mean_h: () => row("mean_h", film.n_hidden, t - 1),
        });
      }
    }
  }
}

test("states of the golden films are read bit by bit", () => {
  each((film, t, k, expect) => {
    assert.deepEqual([...film.v(t, k)], [...expect.v()], `v after sweep ${t} of chain ${k}`);
    if (t) assert.deepEqual([...film.h(t, k)], [...expect.h()], `h of sweep ${t} of chain ${k}`);
  });
});

test("conditionals of the golden films are those of their weights, temperatures, gains and held pixels", () => {
  each((film, t, k, expect) => {
    near(film.meanV(t, k), expect.mean_v(), 1e-5, `p(v|h) after sweep ${t} of chain ${k}`);
    if (t) near(film.meanH(t, k), expect.mean_h(), 1e-5, `p(h|v) of sweep ${t} of chain ${k}`);
  });
});

test("weights in single precision are taken as they are, where half precision would be infinite", () => {
  const { header, arrays } = golden("film");
  const halves = new Trajectory({ header, arrays });
  const W = Float32Array.from(halfToFloat(arrays.W));
  const single = new Trajectory({ header, arrays: { ...arrays, W } });
  for (let k = 0; k < halves.n_chains; k++) assert.deepEqual(single.meanH(1, k), halves.meanH(1, k));
  W.fill(1e6);
  const lit = new Trajectory({ header, arrays: { ...arrays, W } });
  assert.ok(lit.meanV(1, 0).every(Number.isFinite));
});

test("the grid's tables are off by one shade of 255 at most", () => {
  const shades = new Map();
  each((film, t, k, expect) => {
    if (!shades.has(film)) shades.set(film, new Shades(film));
    const grey = Float32Array.from(expect.pixels(), (x) => 255 * Math.min(1, Math.max(0, x)));
    near(shades.get(film).of("pv", 2 * t, k), grey, 1.01, `shades after sweep ${t} of chain ${k}`);
  });
});

test("a frame before a layer is drawn shows nothing of it", () => {
  const film = new Trajectory(golden("film"));
  assert.equal(film.show("h", 0, 0), null);
  assert.equal(film.show("ph", 0, 0), null);
  assert.deepEqual(film.show("h", 1, 0), film.h(1, 0));
  assert.deepEqual(film.show("v", 1, 0), film.v(0, 0));
});

test("nearest images are found by their number, at the sweep for which they were looked for", () => {
  const film = new Trajectory(golden("film"));
  const near = film.nearestTo(3, 1);
  assert.deepEqual([near.number, near.label, near.sweep], [9, 255, 2]);
  assert.equal(film.value("nearest", 3, 1), film.a.near_distance[1 * film.n_chains + 1]);
});

test("groups, schedules and words say which chain is meant", () => {
  const film = new Trajectory(golden("film"));
  assert.equal(nameOf(film, 4), "chain 2 (colder)");
  assert.equal(film.betaOf(4, 2), film.a.beta[1 * film.n_sweeps + 1]);
  assert.match(whereText(film, 3, 0), /^sweep 2 \/ 4 · half step h · T \d/);
  assert.equal(whereText(film, 0, 0), "start · 0 / 4");
  assert.equal(titleOf(film, "distance"), "Distance to the start");
  assert.match(meaningOf(film, "nearest"), /looked for after every 2 sweeps$/);
  assert.match(meaningOf(film, "energy"), /each chain in its own machine/);
});

test("the sentence counts what the half step changed", () => {
  const film = new Trajectory(golden("film"));
  const on = film.h(2, 0).reduce((a, b) => a + b, 0);
  const changed = film.h(2, 0).filter((x, j) => x !== film.h(1, 0)[j]).length;
  assert.match(sentence(film, 3, 0), new RegExp(`${on} of 6 are on, ${changed} of them changed\\.$`));
  const flips = film.v(2, 0).filter((x, i) => Math.abs(x - film.v(1, 0)[i]) > 0.5).length;
  assert.match(sentence(film, 4, 0), new RegExp(`that is not held .* ${flips} of 10 flipped.*in “colder”`));
  assert.match(sentence(film, 0, 0), /^Six chains start from noise\. Free energy of chain 1 \(as before\)/);
});

test("the sentence names the label where labels are drawn, and nothing else does", () => {
  const film = new Trajectory(golden("film-labels"));
  for (let k = 0; k < film.n_chains; k++) {
    for (let t = 1; t <= film.n_sweeps; t++) {
      const [before, now] = [film.labelOf(t - 1, k), film.labelOf(t, k)];
      const said = before === now ? `Its label stays ${now}.` : `Its label, ${before} before, is now ${now}.`;
      assert.ok(sentence(film, 2 * t, k).includes(said), sentence(film, 2 * t, k));
    }
  }
  assert.equal(new Set([0, 1, 2, 3].map((t) => film.labelOf(t, 0))).size > 1, true);
  const plain = new Trajectory(golden("film"));
  assert.equal(plain.labelOf(1, 0), null);
  for (let frame = 0; frame <= plain.last; frame++) assert.doesNotMatch(sentence(plain, frame, 0), /label/);
});

test("a grid's cells lie in its room without touching, and every chain has one", () => {
  for (const [per, groups] of [
    [25, 1],
    [100, 1],
    [9, 2],
    [7, 4],
    [1, 1],
  ]) {
    const room = { wide: 440, high: 440 };
    const grid = gridOf({ h: 28, w: 28 }, { per, groups }, room, groups > 1 ? 27 : 0);
    const seen = new Set();
    for (let chain = 0; chain < per * groups; chain++) {
      const [x, y] = cornerOf(grid, per, chain);
      assert.ok(
        x >= 0 && y >= 0 && x + grid.w <= grid.width && y + grid.h <= grid.height,
        `chain ${chain} of ${per}`,
      );
      seen.add(`${x} ${y}`);
    }
    assert.equal(seen.size, per * groups);
  }
});

test("25 chains make a square of five by five", () => {
  const grid = gridOf({ h: 28, w: 28 }, { per: 25, groups: 1 }, { wide: 440, high: 440 }, 0);
  assert.equal(grid.columns, 5);
  assert.equal(grid.width, grid.height);
});

test("panels and grid fit side by side into the player's width", () => {
  for (const width of [560, 900, 1400]) {
    const room = { width, tall: 700, rem: 16, beside: true };
    const side = panelSide(room);
    assert.ok(2 * side + 5.4 * 16 + gridRoom(room, side).wide <= width, `${width}`);
  }
});
