import assert from "node:assert/strict";
import { test } from "node:test";
import { TinyRBM } from "../../dashboard/components/learn/tiny.js";
import { Plane } from "../../dashboard/components/lib/plane.js";
import { golden, near } from "./golden.js";

function model(name) {
  const { header, arrays } = golden(name);
  return { header, arrays, rbm: new TinyRBM(arrays.parameters, header.n_visible, header.n_hidden) };
}

for (const name of ["tiny", "tiny-large"]) {
  test(`free energies are rbm_core's, one by one and all at once: ${name}`, () => {
    const { rbm, arrays } = model(name);
    const one = Array.from({ length: 512 }, (_, v) => rbm.freeEnergy(v));
    const size = Math.max(...arrays.free_energy.map(Math.abs));
    near(one, arrays.free_energy, 1e-12 * size, "one by one");
    near(rbm.freeEnergies(), arrays.free_energy, 1e-6 * size, "all at once, in single precision");
  });

  test(`the chain hops as rbm_core's does with the same chance: ${name}`, () => {
    const { rbm, header, arrays } = model(name);
    assert.deepEqual(rbm.walk(header.start, arrays.chance, arrays.chance.shape[0]), [...arrays.walk]);
  });
}

test("probabilities from free energies and log Z sum to one", () => {
  const { rbm, header } = model("tiny");
  const sum = rbm.freeEnergies().reduce((p, F) => p + Math.exp(-F - header.log_z), 0);
  assert.ok(Math.abs(sum - 1) < 1e-5, `${sum}`);
});

test("the likeliest pictures are those of the lowest free energy", () => {
  const { rbm, arrays } = model("tiny");
  const order = [...arrays.free_energy.keys()].sort((a, b) => arrays.free_energy[a] - arrays.free_energy[b]);
  assert.deepEqual(rbm.likeliest(12), order.slice(0, 12));
});

test("on the plane every picture has one place, and neighbours differ by one pixel", () => {
  for (const V of [2, 9, 16]) {
    const plane = new Plane(V);
    assert.equal(new Set(plane.states).size, 1 << V);
    const pixels = (a, b) =>
      (plane.stateAt(...a) ^ plane.stateAt(...b)).toString(2).replaceAll("0", "").length;
    for (let row = 0; row < plane.rows; row++) {
      for (let column = 0; column < plane.columns; column++) {
        assert.deepEqual(plane.placeOf(plane.stateAt(row, column)), [row, column]);
        if (column) assert.equal(pixels([row, column], [row, column - 1]), 1);
        if (row) assert.equal(pixels([row, column], [row - 1, column]), 1);
      }
    }
  }
});
