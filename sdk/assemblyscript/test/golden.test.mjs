// Holds the SDK to the bytes that freeze the ABI: abi/v1/testdata of rhost's own tree.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { Plugin } from "../testing/index.mjs";

function golden(name) {
  const text = readFileSync(new URL(`../../../abi/v1/testdata/${name}.hex`, import.meta.url), "utf8");
  return Uint8Array.from(Buffer.from(text.replace(/;.*/g, "").replace(/\s/g, ""), "hex"));
}

const plugin = await Plugin.load(new URL("golden.wasm", import.meta.url));

test("the input frame and the answers", () => {
  plugin.state.set("n:root", { value: { n: 5 }, version: 7 });
  plugin.now = "2026-05-20T21:45:07.5Z";
  plugin.http["POST https://api.example.com/v1/locks"] = { status: 404, headers: { "content-type": "text/plain" }, body: "no" };
  const r = plugin.runFrame(golden("input"));
  assert.equal(r.result, "ok", r.message);
  assert.deepEqual(r.output, {
    attempt: 1, sec: 1779313507, nsec: 500000000, time: "2026-05-20T21:45:07.5Z", key: "k-01",
    match: { rule: "r" }, with: { n: 5 }, id: "e1", source: "/sshd", type: "ssh.failed", subject: "", data: { user: "root" },
    host: "web", port: 22, none: null, version: 7, value: { n: 5 }, nowSec: 1779313507, nowNsec: 500000000,
    code: 404, contentType: "text/plain", body: "no",
  });
  const sent = r.requests.filter((q) => !["state_get", "now"].includes(q.service));
  assert.deepEqual(sent.map((q) => q.service), ["emit", "notify", "state_cas", "state_set", "random", "kv_set", "http"]);
  for (const q of sent) assert.deepEqual(q.bytes, golden(q.service), q.service);
});

test("what cannot be read", () => {
  const bytes = golden("input");
  for (let n = 0; n < bytes.length; n++) {
    const r = plugin.runFrame(bytes.subarray(0, n));
    assert.equal(r.result, "fail");
    assert.match(r.message, /^input: cannot be read at [a-z.]+$/);
  }
  for (let i = 0; i < bytes.length; i++) {
    const lying = bytes.slice();
    lying[i] = 0xff;
    try {
      plugin.runFrame(lying); // ends, whatever it says
    } catch (e) {
      assert.ok(e instanceof SyntaxError, e); // it gave back JSON that was none
    }
  }
  assert.equal(plugin.runFrame(Buffer.concat([bytes, Buffer.from("later")])).result, "ok");
});
