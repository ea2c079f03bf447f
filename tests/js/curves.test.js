import assert from "node:assert/strict";
import { test } from "node:test";
import { thinned } from "../../dashboard/components/curves/plot.js";
import { pointsOf, Rows, soften } from "../../dashboard/components/curves/rows.js";
import { rangeOf, scaleX, scaleY } from "../../dashboard/components/curves/scales.js";
import { near } from "./golden.js";

const shaped = (rows) =>
  Object.assign(Float64Array.from(rows.flat()), { shape: [rows.length, rows[0]?.length ?? 0] });

test("rows that arrive in parts are those that arrive at once", () => {
  const all = Array.from({ length: 700 }, (_, i) => [i * 10, i / 2]);
  const once = new Rows(["step", "seconds"]);
  once.put(0, shaped(all));
  const parts = new Rows(["step", "seconds"]);
  for (let from = 0; from < 700; from += 70) parts.put(from, shaped(all.slice(from, from + 70)));
  parts.put(690, shaped(all.slice(690))); // sent twice
  assert.equal(parts.n, 700);
  assert.deepEqual(parts.column("seconds"), once.column("seconds"));
  assert.ok(Number.isNaN(parts.at("nothing", 3)));
});

test("a step between two rows lies between their seconds", () => {
  const rows = new Rows(["step", "seconds"]);
  assert.ok(Number.isNaN(rows.secondsAt(5)));
  rows.put(
    0,
    shaped([
      [0, 0],
      [10, 4],
      [20, 5],
    ]),
  );
  assert.deepEqual(
    [0, 5, 10, 15, 99].map((s) => rows.secondsAt(s)),
    [0, 2, 4, 4.5, 5],
  );
  assert.deepEqual(
    [-1, 0, 19, 20].map((s) => rows.rowOf("step", s)),
    [0, 0, 1, 2],
  );
});

test("smoothing leaves a constant alone from its first row on, and passes over gaps", () => {
  near(soften(Float64Array.of(3, 3, 3), 0.9), [3, 3, 3], 1e-12, "constant");
  const soft = soften(Float64Array.of(0, NaN, 4), 0.5);
  assert.ok(Number.isNaN(soft[1]));
  near([soft[2]], [4 * (0.5 / 0.75)], 1e-12, "after a gap");
});

test("estimates that a line has not are left out, and an unknown error is none", () => {
  const estimates = shaped([
    [100, -90, NaN, -91, 0.2],
    [200, -88, -89, -88, NaN],
  ]);
  const line = { column: "log_likelihood_valid", label: "", colour: "", estimate: 2 };
  assert.deepEqual(pointsOf(line, estimates), [[200, -89, 0]]);
  assert.deepEqual(pointsOf({ ...line, estimate: undefined }, estimates), []);
});

test("both scales across come back to where they began, and keep a step 0", () => {
  for (const unit of [null, 10]) {
    const scale = scaleX([0, 50000], [60, 800], unit);
    near([scale.to(0), scale.to(50000)], [60, 800], 1e-9, "ends");
    for (const x of [0, 7, 1234, 50000]) near([scale.from(scale.to(x))], [x], 1e-6, `unit ${unit}`);
    assert.ok(scale.ticks.every((t) => t >= 0 && t <= 50000));
  }
});

test("far first steps leave the frame, but never the newest value", () => {
  const all = [...Array(50).fill(1000), ...Array.from({ length: 2000 }, (_, i) => -800 + Math.sin(i))];
  const [low, high] = rangeOf(all, [-790], {});
  assert.ok(high < 0 && high >= -790 && low >= -801 && low <= -799, `${low} ${high}`);
  assert.equal(rangeOf([], [], {}), null);
  assert.deepEqual(rangeOf([5, 1, 3], [3], {}), [1, 5]);
});

test("a scale upwards shows zero where asked, and a constant in the middle", () => {
  const zero = scaleY([0.2, 1], [0, 100], { zero: true });
  assert.equal(zero.to(0), 100);
  near([scaleY([7, 7], [0, 100], {}).to(7)], [50], 1e-9, "constant");
  const log = scaleY([1e-4, 1e-1], [0, 100], { log: true });
  assert.ok(Number.isNaN(log.to(0)));
  near(log.ticks, [1e-4, 1e-3, 1e-2, 1e-1], 1e-12, "powers");
});

test("rows that share a column of pixels keep its lowest and highest", () => {
  const places = [
    [0.1, 5, false],
    [0.2, 9, true],
    [0.3, 1, true],
    [1.1, 4, true],
  ];
  assert.deepEqual(thinned(places), [
    [0, 1, false],
    [0, 9, true],
    [1, 4, true],
    [1, 4, true],
  ]);
});
