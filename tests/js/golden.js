// The golden blobs that tests/js/golden.py writes.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { unpack } from "../../dashboard/components/lib/blob.js";

/** {header, arrays} of a golden blob. */
export function golden(name) {
  // Node's Buffer differs from the Uint8Array that a browser hands over: its slice() copies nothing.
  return unpack(new Uint8Array(readFileSync(new URL(`./golden/${name}.blob`, import.meta.url))));
}

/** Asserts that all numbers agree to a tolerance. */
export function near(found, expected, tolerance, message) {
  assert.equal(found.length, expected.length, `${message}: length`);
  for (let i = 0; i < found.length; i++) {
    const off = Math.abs(found[i] - expected[i]);
    assert.ok(off <= tolerance, `${message}: ${found[i]} at ${i}, expected ${expected[i]}`);
  }
}
