// golden reports the input it is given, and sends the requests of abi/v1/testdata.

import { Call, Json, OK, Result, Writer, plugin } from "../assembly";
export * from "../assembly/plugin";

plugin((c: Call): Result => {
  c.emit("account.locked", Json.of('{"user":"root"}'));
  c.notify("ops", Json.of('"hi"'));
  const s = c.stateGet("n:root");
  c.stateCas("n:root", 7, Json.of('{"n":6}'));
  c.stateSet("n:root", Json.of('{"n":5}'));
  c.random(16);
  const now = c.now();
  const e = c.event;
  const w = new Writer().object();
  w.setInt("attempt", c.attempt).setInt("sec", e.sec).setInt("nsec", e.nsec).setStr("time", e.time).setStr("key", c.key);
  w.set("match", c.match.json).set("with", c.with).setStr("id", e.id).setStr("source", e.source).setStr("type", e.type);
  w.setStr("subject", e.subject).set("data", e.data).set("host", e.ext("host")).set("port", e.ext("port")).set("none", e.ext("none"));
  w.setInt("version", s.version).set("value", s.value).setInt("nowSec", now.sec).setInt("nowNsec", now.nsec);
  c.output(w.end().json);
  return OK;
});
