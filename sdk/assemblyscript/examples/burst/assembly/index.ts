// burst counts events by address and tells a topic when an address reaches a
// threshold. The count survives in the tenant's state, and no event is lost when two
// calls count the same address at once.
//
// Arguments of the step: {"threshold": 10, "topic": "ops"}.

import { Call, OK, Result, Status, Writer, plugin } from "../../../assembly";
export * from "../../../assembly/plugin";

plugin((c: Call): Result => {
  const addr = c.event.get("addr").string;
  if (addr == "") return c.drop("the event has no address");

  const key = "seen/" + addr;
  const old = c.stateGet(key);
  if (!old.ok && old.status != Status.NotFound) return c.refused("state_get", old.status);
  const n = old.value.int + 1;
  let st = c.stateCas(key, old.version, new Writer().int(n).json);
  if (st != Status.Ok) return c.refused("state_cas", st);
  if (n != c.with.get("threshold").int) return OK;

  const message = new Writer().object().setStr("addr", addr).setInt("seen", n).setStr("last", c.event.id).end();
  st = c.notify(c.with.get("topic").string, message.json);
  return st == Status.Ok ? OK : c.refused("notify", st);
});
