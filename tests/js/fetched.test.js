import assert from "node:assert/strict";
import { test } from "node:test";
import { fetched } from "../../dashboard/components/lib/fetched.js";

globalThis.document = {
  baseURI: "http://class/base/gibbs?run=x",
  scripts: [{ src: "" }, { src: "http://class/base/static/js/index.abc.js" }],
};

test("a component's script is looked for below the app's own path", async () => {
  const asked = [];
  const show = await fetched("rbm/film.123.js", async (url) => {
    asked.push(url);
    return { default: "show" };
  });
  assert.equal(show, "show");
  assert.deepEqual(asked, ["http://class/base/rbm/film.123.js"]);
});

test("an attempt that fails is made again under another name, and not for ever", async () => {
  const asked = [];
  const failing = (times) => async (url) => {
    asked.push(url);
    if (asked.length <= times) throw new TypeError("no network");
    return { default: "show" };
  };
  assert.equal(await fetched("rbm/film.123.js", failing(3), 0), "show");
  assert.equal(new Set(asked).size, 4);
  asked.length = 0;
  await assert.rejects(fetched("rbm/film.123.js", failing(Infinity), 0), TypeError);
  assert.equal(asked.length, 8);
});
