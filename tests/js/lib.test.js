import assert from "node:assert/strict";
import { test } from "node:test";
import { bitOf, halfToFloat, unpack } from "../../dashboard/components/lib/blob.js";
import { abgr, colourTable } from "../../dashboard/components/lib/colour.js";
import { clock, extent, pretty, ticks } from "../../dashboard/components/lib/numbers.js";
import { StepClock } from "../../dashboard/components/lib/playback.js";
import { csv, fileOf, sourceOf } from "../../dashboard/components/lib/save.js";
import { golden } from "./golden.js";

test("a blob gives back every type of array that Python packed, with its shape", () => {
  const { header, arrays } = golden("every-type");
  assert.equal(header.title, "σ ‖W‖");
  assert.deepEqual(Object.keys(arrays), Object.keys(header.values));
  for (const [name, values] of Object.entries(header.values))
    assert.deepEqual([...arrays[name]], values, name);
  assert.deepEqual(arrays.matrix.shape, [2, 3]);
  assert.deepEqual(arrays.nothing.shape, [0, 4]);
  assert.ok(arrays.float64 instanceof Float64Array);
});

test("a blob is read wherever it lies in a larger message", () => {
  const { header } = golden("every-type");
  const text = new TextEncoder().encode(JSON.stringify({ arrays: [] }));
  const message = new Uint8Array(text.length + 9);
  new DataView(message.buffer).setUint32(5, text.length, true);
  message.set(text, 9);
  assert.deepEqual(unpack(message.subarray(5)).arrays, {});
  assert.ok(header);
});

test("half precision becomes the same number, also where it is tiny, infinite or none", () => {
  const halves = Uint16Array.of(0x0000, 0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00, 0xfc00, 0x3555);
  const expected = [0, 1, -2, 2 ** -24, 65504, Infinity, -Infinity, 0.333251953125];
  assert.deepEqual([...halfToFloat(halves)], expected);
  assert.ok(Number.isNaN(halfToFloat(Uint16Array.of(0x7e00))[0]));
});

test("bits are read highest first, as numpy packs them", () => {
  const bytes = Uint8Array.of(0b10000001, 0b01000000);
  assert.deepEqual(
    [0, 1, 7, 8, 9].map((i) => bitOf(bytes, i)),
    [1, 0, 1, 0, 1],
  );
  assert.equal(bitOf(bytes, 1, 1), 1);
});

test("colour tables are those of the palette", () => {
  const { header, arrays } = golden("colours");
  for (const [name, stops] of Object.entries(header.stops)) {
    const table = colourTable(stops);
    for (let i = 0; i < 256; i++)
      assert.equal(table[i], abgr([...arrays[name].subarray(3 * i, 3 * i + 3)]), `${name} ${i}`);
  }
});

test("numbers are written as people read them", () => {
  const written = [
    [0, "0"],
    [12345, "12,345"],
    [-0.5, "−0.5"],
    [0.000012, "1.20e−5"],
    [3e9, "3.00e9"],
    [12345.6, "12,346"],
    [1 / 3, "0.3333"],
    [NaN, "–"],
    [null, "–"],
  ];
  for (const [x, text] of written) assert.equal(pretty(x), text);
  assert.deepEqual([12.4, 184, 7500, NaN].map(clock), ["12 s", "3 min 4 s", "2 h 5 min", "–"]);
});

test("ticks are round, lie in the range, and are about as many as asked for", () => {
  assert.deepEqual(ticks(0, 1, 4), [0, 0.25, 0.5, 0.75, 1]);
  assert.deepEqual(ticks(0, 1, 4, [1, 2, 5, 10]), [0, 0.5, 1]);
  assert.deepEqual(ticks(-820, -380, 4), [-800, -600, -400]);
  assert.deepEqual(ticks(3, 3, 4), [3]);
});

test("an extent passes over what is not finite", () => {
  assert.deepEqual(extent([3, NaN, -1, Infinity]), [-1, 3]);
});

test("the playback clock carries the remainder: at 60 frames a second, 8 steps a second come out as 8", () => {
  const clock = new StepClock(0);
  let steps = 0;
  for (let frame = 1; frame <= 600; frame++) steps += clock.due((frame * 1000) / 60, 8);
  assert.ok(steps === 80 || steps === 79, `${steps}`); // the last frame may be owed by rounding
});

test("a tab that slept an hour owes a quarter of a second", () => {
  const clock = new StepClock(0);
  assert.equal(clock.due(3_600_000, 8), 2);
});

test("a table's cells are quoted where they must be, and what is unknown is empty", () => {
  const table = {
    columns: ["a", 'b "c"'],
    rows: [
      [1, NaN],
      ["x,y", null],
    ],
  };
  assert.equal(csv(table), 'a,"b ""c"""\n1,\n"x,y",\n');
});

test("a figure's file and source say run, step and seed", () => {
  assert.equal(fileOf({ run: "my run", step: 12 }, "curves"), "my-run-step-12-curves");
  assert.equal(
    sourceOf({ run: "r", step: 12000, seed: 7, more: "T 1" }),
    "run r · step 12,000 · seed 7 · T 1",
  );
  assert.equal(sourceOf({ seed: 0 }), "seed 0");
});
