import assert from "node:assert/strict";
import { test } from "node:test";
import { eachMark, packedBits } from "../../dashboard/components/drawing/brush.js";
import { filterGrid, sheet, signedTable, squareGrid } from "../../dashboard/components/mosaic/tiles.js";
import { keepSigns } from "../../dashboard/components/spectrum/signs.js";
import { frameAt } from "../../dashboard/components/timeline/landing.js";

test("a timelapse that plays by itself shows every frame once, the first three times as long as the last", () => {
  const n = 53;
  const ticks = 60000;
  const times = new Array(n).fill(0);
  let before = 0;
  for (let tick = 0; tick < ticks; tick++) {
    const frame = frameAt(tick / ticks, n);
    assert.ok(frame === before || frame === before + 1, `${before} is followed by ${frame}`);
    before = frame;
    times[frame] += 1;
  }
  assert.equal(before, n - 1);
  assert.ok(Math.abs((times[0] * n) / ticks - 1.5) < 0.02, `${times[0]}`);
  assert.ok(Math.abs((times[n - 1] * n) / ticks - 0.5) < 0.02, `${times[n - 1]}`);
});

test("filters fill the width with whole device pixels, and are never smaller than their own", () => {
  for (const [n, width] of [
    [500, 900],
    [500, 300],
    [16, 1400],
    [2000, 700],
  ]) {
    const grid = filterGrid(n, [28, 28], width, 1);
    assert.ok(grid.columns * (grid.size + 2) <= width, `${n} filters in ${width} px`);
    assert.ok(grid.rows * grid.columns >= n);
    assert.ok(grid.size >= 28 || grid.columns === 1, `${grid.size}`);
  }
});

test("tiles that are to be in sight fit the height, down to a third of their own pixels", () => {
  for (const [n, width, sight] of [
    [100, 446, 440],
    [144, 446, 440],
    [200, 446, 440],
    [500, 446, 440],
    [1000, 446, 440],
    [500, 290, 200],
    [100, 760, 720],
  ]) {
    const grid = filterGrid(n, [28, 28], width, 1, sight);
    assert.ok(grid.rows * grid.columns >= n);
    assert.ok(grid.columns * (grid.size + 2) <= width, `${n} filters in ${width} px`);
    assert.ok(
      grid.rows * (grid.size + 2) <= sight,
      `${n} filters are ${grid.rows * (grid.size + 2)} px high`,
    );
  }
  assert.equal(filterGrid(100, [28, 28], 446, 1, 440).columns, 10);
  assert.equal(filterGrid(100, [28, 28], 441, 1, 440).columns, 10);
  const square = squareGrid(100, [28, 28], 446, 1, 440);
  assert.deepEqual([square.columns, square.size], [10, 42]);
});

test("in a tall window filters stand no higher than wide", () => {
  for (const [n, width, sight] of [
    [100, 442, 1720],
    [500, 442, 1200],
    [100, 760, 1720],
    [16, 442, 900],
  ]) {
    const grid = filterGrid(n, [28, 28], width, 1, sight);
    assert.ok(grid.rows * (grid.high + 2) <= Math.max(width, 520), `${n} in ${width} × ${sight} px`);
  }
  assert.equal(filterGrid(100, [28, 28], 442, 1, 1720).columns, 10);
});

test("no filter is left over alone in the last row", () => {
  for (const n of [16, 100, 144, 200, 500]) {
    for (let width = 150; width < 1400; width += 7) {
      const { rows, columns } = filterGrid(n, [28, 28], width, 1, 440);
      const missing = rows * columns - n;
      assert.ok(missing >= 0 && missing < rows, `${n} in ${width} px: ${rows} rows of ${columns}`);
    }
  }
});

test("particles make a square", () => {
  assert.deepEqual(
    [100, 36, 7].map((n) => squareGrid(n, [28, 28], 300, 1).columns),
    [10, 6, 3],
  );
});

test("signed bytes lie on the scale: zero in the middle, its ends at both ends, beyond them nothing new", () => {
  const shades = Uint32Array.from({ length: 256 }, (_, i) => i);
  const table = signedTable(shades, 2, 2);
  assert.deepEqual([table[0], table[127], table[256 - 127]], [128, 255, 0]);
  const narrow = signedTable(shades, 2, 1);
  assert.deepEqual([narrow[127], narrow[64], narrow[256 - 127]], [255, 255, 0]);
});

test("a sheet holds every tile at its place in the order", () => {
  const tiles = Uint8Array.of(1, 2, 3, 4, 5, 6); // three tiles of 1 × 2
  const table = Uint32Array.from({ length: 256 }, (_, i) => i);
  const { pixels, width, height } = sheet(tiles, [2, 0, 1], [1, 2], { columns: 2, rows: 2, size: 2 }, table);
  assert.deepEqual([width, height], [6, 4]);
  assert.deepEqual([...pixels.subarray(0, 6)], [5, 6, 0, 1, 2, 0]);
  assert.deepEqual([...pixels.subarray(12, 15)], [3, 4, 0]);
});

test("a stroke marks a band without gaps, and nothing outside the pad", () => {
  const marks = new Float32Array(28 * 28);
  eachMark([-3, 14], [31, 14], { radius: 1.5, soft: 0 }, 28, 28, (i, ink) => {
    marks[i] = Math.max(marks[i], ink);
  });
  for (let x = 0; x < 28; x++)
    assert.deepEqual([marks[13 * 28 + x], marks[14 * 28 + x], marks[20 * 28 + x]], [1, 1, 0]);
});

test("bits are packed highest first, as numpy.unpackbits reads them", () => {
  assert.deepEqual([...packedBits(Float32Array.of(1, 0, 0.6, 0.5, 0, 0, 0, 1, 1))], [0b10100001, 0b10000000]);
});

test("a mode that comes mirrored is turned with its points, and the other mode is left alone", () => {
  const before = Float32Array.of(0.6, -0.8, 0, 1, 0, 0);
  const now = {
    images: Float32Array.of(-0.5, 0.8, 0.1, 0.9, 0.1, 0),
    data: Float32Array.of(1, 2, 3, 4),
    fantasies: Float32Array.of(-5, 6),
  };
  keepSigns(before, now);
  assert.deepEqual([...now.images], [...Float32Array.of(0.5, -0.8, -0.1, 0.9, 0.1, 0)]);
  assert.deepEqual([...now.data], [-1, 2, -3, 4]);
  assert.deepEqual([...now.fantasies], [5, 6]);
});
