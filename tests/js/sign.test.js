import assert from "node:assert/strict";
import { test } from "node:test";
import { giveSigns } from "../../dashboard/components/tab/sign.js";
import { asks, field, run } from "../../dashboard/components/tab/wire.js";
import { golden } from "./golden.js";

test("a message of Streamlit is read as its own writers wrote it", () => {
  const { header, arrays } = golden("wire");
  for (const [name, expected] of Object.entries(header.asks))
    assert.equal(asks(arrays[name]), expected, name);
  for (const [name, expected] of Object.entries(header.runs)) assert.equal(run(arrays[name]), expected, name);
});

test("a field is found behind fields of every kind, and only where it is", () => {
  // 1: varint 300, 2: 8 bytes, 3: "ab", 4: 4 bytes, 5: varint 1
  const bytes = Uint8Array.of(8, 172, 2, 17, 0, 0, 0, 0, 0, 0, 0, 0, 26, 2, 97, 98, 37, 0, 0, 0, 0, 40, 1);
  assert.equal(field(bytes, 1), 300);
  assert.deepEqual([...field(bytes, 3)], [97, 98]);
  assert.equal(field(bytes, 5), 1);
  assert.equal(field(bytes, 6), undefined);
});

test("what is no message says nothing, and cut short it ends", () => {
  for (const bytes of [
    [],
    [255],
    [255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255],
    [7, 7, 7],
    [90, 200, 1],
  ]) {
    assert.equal(run(Uint8Array.from(bytes)), null, String(bytes));
    assert.equal(typeof asks(Uint8Array.from(bytes)), "boolean", String(bytes));
  }
});

/** A browser tab as the sign sees it: its app's element, a button, its connection, and a clock. */
function tab(t) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const element = () =>
    Object.assign(Object.create(globalThis.Element.prototype), {
      attributes: new Map(),
      setAttribute(name, value) {
        this.attributes.set(name, value);
      },
      hasAttribute(name) {
        return this.attributes.has(name);
      },
      removeAttribute(name) {
        this.attributes.delete(name);
      },
      matches: () => true,
    });
  globalThis.Element = class {};
  globalThis.WebSocket = class extends EventTarget {
    sent = [];
    send(message) {
      this.sent.push(message);
    }
  };
  const app = element();
  const button = element();
  const frames = [];
  globalThis.window = new EventTarget();
  globalThis.document = { querySelector: () => app };
  globalThis.requestAnimationFrame = (act) => frames.push(act);
  let now = 1000;
  t.mock.method(performance, "now", () => now);
  giveSigns();
  giveSigns(); // by a component that is mounted again
  const connection = new WebSocket();
  const { arrays } = golden("wire");
  return {
    connection,
    busy: () => [app, button].map((one) => one.hasAttribute("aria-busy")),
    press() {
      const event = new Event("click");
      event.composedPath = () => [button];
      window.dispatchEvent(event);
    },
    ask: (name) => connection.send(arrays[name]),
    hear: (name) =>
      connection.dispatchEvent(new MessageEvent("message", { data: arrays[name].slice().buffer })),
    wait(ms) {
      now += ms;
      t.mock.timers.tick(ms);
    },
    paint() {
      for (const frame of frames.splice(0)) frame();
    },
  };
}

const BUSY = [true, true];
const CALM = [false, false];

test("a press that asks is busy from then on, until what it asked for is painted", (t) => {
  const { connection, busy, press, ask, hear, paint } = tab(t);
  press();
  assert.deepEqual(busy(), CALM);
  ask("press");
  assert.deepEqual(busy(), BUSY);
  assert.equal(connection.sent.length, 1);
  hear("finished"); // a run that had begun before
  hear("begins");
  hear("begins again");
  paint();
  paint();
  assert.deepEqual(busy(), BUSY);
  hear("begins");
  hear("fragment finished");
  assert.deepEqual(busy(), BUSY);
  paint();
  paint();
  assert.deepEqual(busy(), CALM);
});

test("what nobody pressed has no sign: a timer's question, and one long after a press or after its answer", (t) => {
  const { busy, press, ask, hear, wait, paint } = tab(t);
  press();
  ask("by clock");
  assert.deepEqual(busy(), CALM);
  wait(3000);
  ask("press");
  assert.deepEqual(busy(), CALM);
  press();
  ask("press");
  hear("begins");
  hear("finished");
  ask("press"); // what a view asks for itself, once it has the answer
  paint();
  paint();
  assert.deepEqual(busy(), CALM);
});

test("a second press waits for its own answer", (t) => {
  const { busy, press, ask, hear, paint } = tab(t);
  press();
  ask("press");
  hear("begins");
  hear("finished");
  press();
  ask("press");
  paint();
  paint();
  assert.deepEqual(busy(), BUSY);
  hear("begins");
  hear("finished");
  paint();
  paint();
  assert.deepEqual(busy(), CALM);
});

test("a sign without an answer ends: after a while of silence, or with the connection", (t) => {
  const { connection, busy, press, ask, hear, wait } = tab(t);
  press();
  ask("press");
  wait(14000);
  assert.deepEqual(busy(), BUSY);
  wait(2000);
  assert.deepEqual(busy(), CALM);
  press();
  ask("press");
  hear("begins");
  wait(60000); // a long run is no silence
  assert.deepEqual(busy(), BUSY);
  connection.dispatchEvent(new Event("close"));
  assert.deepEqual(busy(), CALM);
});
