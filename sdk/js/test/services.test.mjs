import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { Plugin } from "../testing.mjs";

// want.json is what the real engine gives too: package sdk/conformance runs it there.
const want = JSON.parse(readFileSync(new URL("want.json", import.meta.url), "utf8"));

test("every service", async () => {
  const plugin = Plugin.load(new URL("services.js", import.meta.url));
  plugin.config = { limit: 5 };
  plugin.now = "2026-03-01T12:00:00Z";
  plugin.secrets = { token: "abc" };
  plugin.http = { "GET https://a.example/": { status: 204 } };
  plugin.state.set("n", { value: 41, version: 7 });
  const r = await plugin.run({ type: "t", data: { user: "bob" } }, { with: { a: [1] } });
  assert.equal(r.result, "ok", r.message);
  assert.deepEqual(r.output, want.output);
  assert.deepEqual(r.logs, want.logs);
  assert.deepEqual(r.effects.map((e) => [e.kind, e.name]), want.effects);
});

test("ends for good", async () => {
  const plugin = new Plugin();
  plugin.source = "globalThis.__invoke = () => { try { rhost.retry('later') } catch {} return 1 }";
  const r = await plugin.run();
  assert.deepEqual([r.result, r.message, r.output], ["retry", "later", undefined]);
});
