// golden reports the input it is given, and sends the requests of abi/v1/testdata.

import { Call, Header, Json, OK, Request, Result, Writer, plugin } from "../assembly";
export * from "../assembly/plugin";

plugin((c: Call): Result => {
  c.emit("account.locked", Json.of('{"user":"root"}'));
  c.notify("ops", Json.of('"hi"'));
  const s = c.stateGet("n:root");
  c.stateCas("n:root", 7, Json.of('{"n":6}'));
  c.stateSet("n:root", Json.of('{"n":5}'));
  c.random(16);
  const odd = new Uint8Array(2);
  odd[0] = 1;
  odd[1] = 255;
  c.kvSet("seen/10.0.0.7", odd.buffer, 60000);
  const q = new Request("POST", "https://api.example.com/v1/locks");
  q.headers.push(new Header("content-type", "text/plain"));
  q.body = String.UTF8.encode("root");
  q.timeout = 250;
  const a = c.http(q);
  const now = c.now();
  const e = c.event;
  const w = new Writer().object();
  w.setInt("attempt", c.attempt).setInt("sec", e.sec).setInt("nsec", e.nsec).setStr("time", e.time).setStr("key", c.key);
  w.set("match", c.match.json).set("with", c.with).setStr("id", e.id).setStr("source", e.source).setStr("type", e.type);
  w.setStr("subject", e.subject).set("data", e.data).set("host", e.ext("host")).set("port", e.ext("port")).set("none", e.ext("none"));
  w.setInt("version", s.version).set("value", s.value).setInt("nowSec", now.sec).setInt("nowNsec", now.nsec);
  w.setInt("code", a.code).setStr("contentType", a.header("Content-Type")).setStr("body", String.UTF8.decode(a.body));
  c.output(w.end().json);
  return OK;
});
