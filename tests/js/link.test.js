import assert from "node:assert/strict";
import { test } from "node:test";
import { amended } from "../../dashboard/components/lib/link.js";

const defaults = { view: "distribution", update: 0 };

test("values go last into the query, in their order, and defaults are left out", () => {
  const query = "?update=7&seed=8&lesson=3";
  assert.equal(
    amended(query, { view: "landscape", update: 10 }, defaults),
    "?seed=8&lesson=3&view=landscape&update=10",
  );
  assert.equal(amended(query, { view: "distribution", update: 0 }, defaults), "?seed=8&lesson=3");
  assert.equal(amended("?update=7", { view: "distribution", update: 0 }, defaults), "");
});
