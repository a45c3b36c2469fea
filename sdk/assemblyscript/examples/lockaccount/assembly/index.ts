// lockaccount locks the account that an event names, unless it is locked already or
// the operator protects it.
//
// Settings: {"protect": ["root"]}. Arguments of the step: {"reason": "…"}.

import { Call, Level, OK, Result, Status, Writer, plugin } from "../../../assembly";
export * from "../../../assembly/plugin";

plugin((c: Call): Result => {
  const user = c.event.get("user").string;
  if (user == "") return c.fail("the event names no user");

  const settings = c.config();
  if (!settings.ok) return c.refused("config", settings.status);
  const protect = settings.json.get("protect").items;
  for (let i = 0; i < protect.length; i++) {
    if (protect[i].string != user) continue;
    c.log(Level.Warn, "not locked, because the settings protect it: " + user);
    return c.drop(user + " is protected");
  }

  const key = "locked/" + user;
  if (c.stateGet(key).ok) return c.drop(user + " is locked already");
  let st = c.stateSet(key, new Writer().object().setStr("by", c.match.rule).setStr("at", c.match.at).end().json);
  if (st != Status.Ok) return c.refused("state_set", st);

  st = c.emit("account.locked", new Writer().object().setStr("user", user).set("reason", c.with.get("reason")).end().json);
  if (st != Status.Ok) return c.refused("emit", st);

  c.output(new Writer().object().setStr("locked", user).end().json);
  return OK;
});
