import assert from "node:assert/strict";
import test from "node:test";
import { Plugin } from "../../testing.mjs";

const file = new URL("lockaccount.js", import.meta.url);
const burst = (data) => [{ type: "ssh.burst", data }, { with: { reason: "five failures" } }];

test("locks once", async () => {
  const plugin = Plugin.load(file);
  plugin.config = { protect: ["root"] };

  const r = await plugin.run(...burst({ user: "bob" }));
  assert.equal(r.result, "ok", r.message);
  assert.deepEqual(r.output, { locked: "bob" });
  assert.deepEqual(r.emitted("account.locked"), [{ user: "bob", reason: "five failures" }]);
  assert.deepEqual(plugin.state.get("locked/bob").value, { by: "test", at: "2026-01-01T00:00:00Z" });

  const again = await plugin.run(...burst({ user: "bob" }));
  assert.deepEqual([again.result, again.message], ["drop", "bob is locked already"]);

  const root = await plugin.run(...burst({ user: "root" }));
  assert.equal(root.result, "drop");
  assert.deepEqual(root.logs, ["warn: not locked, because the settings protect it: root"]);
});

test("needs a user", async () => {
  const r = await Plugin.load(file).run(...burst({}));
  assert.deepEqual([r.result, r.message], ["fail", "the event names no user"]);
});

test("needs its capability", async () => {
  const plugin = Plugin.load(file);
  plugin.deny = ["state_set"];
  const r = await plugin.run(...burst({ user: "bob" }));
  assert.equal(r.result, "fault");
  assert.match(r.message, /the host refused: denied/);
});
