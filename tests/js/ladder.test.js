import assert from "node:assert/strict";
import { test } from "node:test";
import { rungName, sentence, tripsText, whereText } from "../../dashboard/components/ladder/narration.js";
import { Record } from "../../dashboard/components/ladder/record.js";

// Three rungs over three rounds, each picture of nine pixels its replica's number in bits. Round 1: rungs 0 and 1
// exchange; round 2: 1 and 2 do; round 3: 0 and 1 are asked and keep their pictures.
const ORIGIN = [
  [0, 1, 2],
  [1, 0, 2],
  [1, 2, 0],
  [1, 2, 0],
];
const picture = (replica) => [replica << 5, 0x80]; // pixels 1 and 2 say the replica, pixel 8 is always on

function film(changed = {}) {
  const header = {
    n_rounds: 3,
    n_visible: 9,
    image_shape: [3, 3],
    rungs: [
      { from: null, to: 10, share: 0 },
      { from: 10, to: 30, share: 0.25 },
      { from: 30, to: 30, share: 0 },
    ],
  };
  const arrays = {
    v_bits: Uint8Array.from(ORIGIN.flat().flatMap(picture)),
    plain_bits: Uint8Array.from([3, 2, 1, 0].flatMap(picture)),
    origin: Uint8Array.from(ORIGIN.flat()),
    proposed: Uint8Array.of(1, 0, 0, 1, 1, 0),
    accepted: Uint8Array.of(1, 0, 0, 1, 0, 0),
    chance: Float32Array.of(1, 0.25, 0.5, 0.75, 0, 0.5),
    trips: Uint16Array.of(0, 0, 0, 1),
    ...changed,
  };
  return new Record({ header, arrays });
}

const replicaIn = (pixels) => (pixels[1] && 2) + (pixels[2] && 1);

test("a film of three rounds has seven frames, and every frame its round", () => {
  const ladder = film();
  assert.equal(ladder.last, 6);
  assert.deepEqual(
    Array.from({ length: 7 }, (_, frame) => ladder.roundOf(frame)),
    [0, 1, 1, 2, 2, 3, 3],
  );
  assert.equal(whereText(ladder, 5), "round 3 of 3");
});

test("after an exchange each rung has the picture that its replica brought, before it its own", () => {
  const ladder = film();
  for (let frame = 0; frame <= ladder.last; frame++) {
    // In the first half of a round the replicas stand where the round before left them.
    const standing = ORIGIN[frame >> 1];
    for (let rung = 0; rung < 3; rung++) {
      const pixels = ladder.picture(frame, rung);
      assert.equal(pixels.length, 9);
      assert.equal(pixels[8], 255, "the ninth pixel is in a byte of its own");
      assert.equal(replicaIn(pixels.map((x) => x / 255)), standing[rung], `rung ${rung} of frame ${frame}`);
      assert.equal(ladder.replicaAt(frame, rung), standing[rung]);
    }
  }
  assert.equal(replicaIn(ladder.plain(1).map((x) => x / 255)), 2);
});

test("a replica's rung is where the record has it", () => {
  const ladder = film();
  for (const [round, standing] of ORIGIN.entries())
    for (const [rung, replica] of standing.entries()) assert.equal(ladder.rungOf(round, replica), rung);
});

test("pairs are asked and exchange in the second half of a round alone", () => {
  const ladder = film();
  const none = { asked: false, took: false };
  for (const frame of [0, 1, 3, 5]) {
    for (const pair of [0, 1]) assert.deepEqual(ladder.pairAt(frame, pair), none, `frame ${frame}`);
    assert.deepEqual(ladder.counts(frame), { asked: 0, took: 0 });
  }
  assert.deepEqual(ladder.pairAt(2, 0), { asked: true, took: true });
  assert.deepEqual(ladder.pairAt(2, 1), none);
  assert.deepEqual(ladder.pairAt(6, 0), { asked: true, took: false });
  assert.deepEqual(
    [2, 4, 6].map((frame) => ladder.counts(frame).took),
    [1, 1, 0],
  );
});

test("acceptance is the mean probability over the rounds so far, and none before the first", () => {
  const ladder = film();
  assert.ok(Number.isNaN(ladder.acceptance(0, 0)));
  assert.ok(Number.isNaN(ladder.acceptance(1, 0)), "a round counts with its exchange");
  assert.deepEqual(
    [2, 3, 4, 5, 6].map((frame) => ladder.acceptance(frame, 0)),
    [1, 1, 0.75, 0.75, 0.5],
  );
  assert.equal(ladder.acceptance(6, 1), 0.5);
});

test("grey pictures are read as they are", () => {
  const grey = Uint8Array.from({ length: 4 * 3 * 9 }, (_, i) => i);
  const ladder = film({ v_grey: grey, plain_grey: grey.subarray(0, 36) });
  assert.deepEqual([...ladder.picture(6, 2)], [...grey.subarray(11 * 9, 12 * 9)]);
  assert.deepEqual([...ladder.plain(1)], [...grey.subarray(9, 18)]);
});

test("the sentence counts the pairs and says whether the last machine got a picture", () => {
  const ladder = film();
  assert.match(sentence(ladder, 0), /^3 machines of one run, .* to step 30 at the top/);
  assert.match(sentence(ladder, 1), /^Round 1, first half/);
  assert.match(sentence(ladder, 2), /second half: 1 of 1 neighbouring pairs.*kept its picture\.$/);
  assert.match(sentence(ladder, 4), /got its picture from the one below\.$/);
  assert.match(sentence(ladder, 6), /second half: 0 of 1/);
  assert.deepEqual(
    [0, 6].map((frame) => tripsText(ladder, frame)),
    ["0 round trips", "1 round trip"],
  );
  assert.deepEqual(ladder.rungs.map(rungName), ["noise", "≈ 15", "30"]);
});
