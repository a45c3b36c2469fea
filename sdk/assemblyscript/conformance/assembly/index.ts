// conformance does what its arguments say, for the tests that hold every SDK to the
// same behaviour: {"do": "echo", …}. Package sdk/conformance says what is expected.

import { Call, Header, Json, Kind, Level, OK, Request, Result, Status, Writer, plugin, statusText, timestamp } from "../../assembly";
export * from "../../assembly/plugin";
export * from "../../assembly/batch";

/** No call may find what another left. */
let used: i32 = 0;

function arg(c: Call, name: string): string {
  return c.with.get(name).string;
}

plugin((c: Call): Result => {
  const todo = arg(c, "do");
  if (todo == "") return describe(c);
  if (todo == "echo") return echo(c);
  if (todo == "effects") return effects(c);
  if (todo == "state") return state(c);
  if (todo == "settings") return settings(c);
  if (todo == "kv") return kv(c);
  if (todo == "http") return http(c);
  if (todo == "secret") return secret(c);
  if (todo == "has") return has(c);
  if (todo == "json") return json(c);
  if (todo == "used") return done(c, new Writer().int(++used));
  if (todo == "fail") return c.fail(arg(c, "msg"));
  if (todo == "retry") return c.retry(arg(c, "msg"));
  if (todo == "drop") return c.drop("nothing to do");
  if (todo == "loop") return spin();
  if (todo == "alloc") return alloc();
  if (todo == "recurse") return <i32>dive(1);
  if (todo == "panic") throw new Error("boom");
  if (todo == "flood") return flood(c);
  return c.fail("no action " + new Writer().str(todo).json.text);
});

function done(c: Call, w: Writer): Result {
  c.output(w.json);
  return OK;
}

/** The guest of the suite that all engines share. */
function describe(c: Call): Result {
  const limit = c.config("limit");
  if (!limit.ok) return c.refused("config", limit.status);
  const w = new Writer().object();
  w.setStr("tenant", c.match.tenant).setStr("rule", c.match.rule).setStr("match", c.match.id).setStr("trigger", c.match.trigger);
  w.set("bind", c.match.json.get("bind")).setStr("event", c.event.id).setStr("source", c.event.source).setStr("type", c.event.type);
  w.setStr("user", c.event.get("user").string).setInt("attempt", c.attempt).setStr("key", c.key).set("limit", limit.json);
  return done(c, w.end());
}

/** Gives back what the call holds. */
function echo(c: Call): Result {
  const e = c.event;
  const w = new Writer().object();
  w.setStr("id", e.id).setStr("source", e.source).setStr("type", e.type).setStr("subject", e.subject);
  w.key("time");
  if (e.hasTime) w.str(e.time);
  else w.null();
  w.set("data", e.data).set("ext", e.ext("host")).setInt("attempt", c.attempt).setStr("key", c.key);
  return done(c, w.set("match", c.match.json).set("with", c.with).end());
}

function effects(c: Call): Result {
  let st = c.emit("made", Json.of('{"n":1}'));
  if (st == Status.Ok) st = c.emit("empty");
  if (st == Status.Ok) st = c.stateSet("k", Json.of("[1,2]"));
  if (st == Status.Ok) st = c.stateDelete("gone");
  if (st == Status.Ok) st = c.notify("ops", Json.of('"hello"'));
  return st == Status.Ok ? OK : c.refused("effects", st);
}

function note(w: Writer, service: string, st: Status, what: Json): void {
  if (st == Status.Ok) w.put(what);
  else w.str(service + ": " + statusText(st));
}

function noteState(c: Call, w: Writer, key: string): void {
  const s = c.stateGet(key);
  note(w, "state_get", s.status, new Writer().object().set("v", s.value).setInt("version", s.version).end().json);
}

/** Reports what the services answer, one after another. */
function state(c: Call): Result {
  const set = Json.of('"set"');
  const w = new Writer().list();
  const old = c.stateGet("n");
  noteState(c, w, "n");
  note(w, "state_cas", c.stateCas("n", old.version + 1, Json.of("0")), set);
  note(w, "state_cas", c.stateCas("n", old.version, new Writer().int(old.value.int + 1).json), set);
  noteState(c, w, "n");
  noteState(c, w, "absent");
  const long = c.stateGet("long").value;
  return done(c, w.int(long.end - long.start).end());
}

function settings(c: Call): Result {
  const limit = c.config("limit");
  if (!limit.ok) return c.refused("config", limit.status);
  const now = c.now();
  if (now.status != Status.Ok) return c.refused("now", now.status);
  const p = c.random(5000);
  if (!p.ok) return c.refused("random", p.status);
  c.log(Level.Warn, "careful");
  const last = Uint8Array.wrap(p.bytes)[4999];
  return done(c, new Writer().object().set("limit", limit.json).setStr("now", timestamp(now.sec, now.nsec)).setInt("random", last).end());
}

/** Writes bytes that are no text, and reads what is there. */
function kv(c: Call): Result {
  const odd = new Uint8Array(3);
  odd[0] = 0x76;
  odd[2] = 255;
  const w = new Writer().list();
  note(w, "kv_get", c.kvGet("absent").status, Json.of('"got"'));
  note(w, "kv_set", c.kvSet("k", odd.buffer, 5000), Json.of('"set"'));
  note(w, "kv_set", c.kvSet("gone", new ArrayBuffer(0)), Json.of('"set"'));
  const got = c.kvGet("k");
  note(w, "kv_get", got.status, Json.of('"got"'));
  const b = Uint8Array.wrap(got.bytes);
  w.bool(b.length == 3 && b[0] == odd[0] && b[1] == odd[1] && b[2] == odd[2]);
  return done(c, w.int(c.kvGet("long").bytes.byteLength).end());
}

function http(c: Call): Result {
  const q = new Request(arg(c, "method"), arg(c, "url"));
  q.body = String.UTF8.encode(arg(c, "body"));
  q.timeout = <u32>c.with.get("timeout").int;
  const headers = c.with.get("headers");
  const names = headers.names;
  for (let i = 0; i < names.length; i++) q.headers.push(new Header(names[i], headers.member(names[i]).string));
  const a = c.http(q);
  if (!a.ok) return c.refused("http", a.status);
  const w = new Writer().object().setInt("status", a.code).setStr("type", a.header("content-type"));
  return done(c, w.setInt("headers", a.headers.length).setStr("body", String.UTF8.decode(a.body)).end());
}

function secret(c: Call): Result {
  const a = c.secret(arg(c, "name"));
  return a.ok ? done(c, new Writer().str(a.text)) : c.refused("secret", a.status);
}

/** Reports on each of the services that its arguments list. */
function has(c: Call): Result {
  const asked = c.with.get("services").items;
  const w = new Writer().list();
  for (let i = 0; i < asked.length; i++) w.str(statusText(c.has(asked[i].string)));
  return done(c, w.end());
}

/** Reads a part of the event's data in every way. */
function json(c: Call): Result {
  const kinds = ["missing", "null", "bool", "number", "string", "list", "object"];
  const v = c.event.get(arg(c, "path"));
  const w = new Writer().object().setStr("kind", kinds[v.kind]).setStr("text", v.string).setInt("int", v.int);
  w.setNum("num", v.num).setBool("bool", v.bool).setInt("len", v.length).key("names").list();
  if (v.kind == Kind.Object) {
    const names = v.names;
    for (let i = 0; i < names.length; i++) w.str(names[i]);
  }
  return done(c, w.end().end());
}

function spin(): Result {
  while (true) {
    used++;
    if (used == -1) used = 0;
  }
}

function alloc(): Result {
  const all: ArrayBuffer[] = [];
  while (true) all.push(new ArrayBuffer(1 << 20));
}

function dive(n: i64): i64 {
  if (n + used < 0) return n;
  return dive(n + 1) + dive(n + 2);
}

function flood(c: Call): Result {
  while (true) {
    const st = c.emit("x");
    if (st != Status.Ok) return c.refused("emit", st);
  }
}
