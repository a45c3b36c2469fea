import assert from "node:assert/strict";
import test from "node:test";
import { Plugin } from "../../../testing/index.mjs";

test("tells once", async () => {
  const plugin = await Plugin.load(new URL("../burst.wasm", import.meta.url));
  const options = { with: { threshold: 3, topic: "ops" } };
  for (let n = 1; n <= 4; n++) {
    const r = plugin.run({ type: "login.failed", id: "e7", data: { addr: "192.0.2.1" } }, options);
    assert.equal(r.result, "ok", r.message);
    assert.equal(plugin.state.get("seen/192.0.2.1").value, n);
    assert.deepEqual(r.notified("ops"), n === 3 ? [{ addr: "192.0.2.1", seen: 3, last: "e7" }] : []);
  }
  assert.equal(plugin.run({ type: "login.failed", data: {} }, options).result, "drop");
});
