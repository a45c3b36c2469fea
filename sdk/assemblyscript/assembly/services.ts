import { Event, Match } from "./call";
import { Json } from "./json";
import { Reader } from "./wire";
import { Bytes } from "./writer";
import * as sys from "./sys";

/** What a service answers. */
export enum Status {
  Ok = 0,
  NotFound = 1,
  TooSmall = 2, // never seen by plugins
  Denied = 3,
  Invalid = 4,
  Conflict = 5,
  Limit = 6,
  Timeout = 7,
  Unavailable = 8,
  Internal = 9,
  Unsupported = 10,
}

/** What a status means. */
export function statusText(st: Status): string {
  switch (st) {
    case Status.Ok: return "ok";
    case Status.NotFound: return "not found";
    case Status.Denied: return "the capability was not granted";
    case Status.Invalid: return "the request is not valid";
    case Status.Conflict: return "the version is another";
    case Status.Limit: return "a limit of the call is used up";
    case Status.Timeout: return "timeout";
    case Status.Unavailable: return "not available now";
    case Status.Unsupported: return "this host does not offer the service";
  }
  return "internal error of the host";
}

/** The severity of a log line. */
export enum Level {
  Debug = 0,
  Info = 1,
  Warn = 2,
  Error = 3,
}

/** How a call ends: `return OK`, or what `c.fail`, `c.retry`, `c.drop` return. */
export type Result = i32;
export const OK: Result = 0;

/** A status and bytes, which are empty unless the status is ok. */
export class Answer {
  constructor(public status: Status, public bytes: ArrayBuffer = new ArrayBuffer(0)) {}

  get ok(): bool {
    return this.status == Status.Ok;
  }

  /** The bytes as text. */
  get text(): string {
    return String.UTF8.decode(this.bytes);
  }

  /** The bytes as JSON. */
  get json(): Json {
    return Json.parse(this.bytes);
  }
}

/** A value of the state. */
export class Stored {
  /** Missing when the key is absent. */
  value: Json = new Json();
  /** Grows with every write; 0 when the key is absent. For stateCas. */
  version: u64 = 0;

  constructor(public status: Status) {}

  get ok(): bool {
    return this.status == Status.Ok;
  }
}

/** A time of the host's clock. */
export class Now {
  constructor(public status: Status, public sec: i64, public nsec: u32) {}
}

/** A header of HTTP. */
export class Header {
  constructor(public name: string, public value: string) {}
}

/** A request of HTTP. */
export class Request {
  headers: Header[] = [];
  body: ArrayBuffer = new ArrayBuffer(0);
  /** Milliseconds; 0: what is left of the call. */
  timeout: u32 = 0;

  constructor(public method: string, public url: string) {}
}

/** The answer to a Request. */
export class Response {
  /** Of HTTP, as 200. */
  code: u32 = 0;
  headers: Header[] = [];
  body: ArrayBuffer = new ArrayBuffer(0);

  constructor(public status: Status) {}

  get ok(): bool {
    return this.status == Status.Ok;
  }

  /** A header, empty when there is none. Upper and lower case are the same. */
  header(name: string): string {
    const want = name.toLowerCase();
    for (let i = 0; i < this.headers.length; i++) {
      if (this.headers[i].name.toLowerCase() == want) return this.headers[i].value;
    }
    return "";
  }
}

/** Room for most answers, so that few need a second call. */
const USUAL_ANSWER = 512;

function ask(service: sys.Service, request: Bytes): Answer {
  let answer = new ArrayBuffer(USUAL_ANSWER);
  const r = service(request.pointer, request.length, changetype<usize>(answer), USUAL_ANSWER);
  let st = <i32>(r >> 32);
  const n = <i32>r;
  if (st == Status.TooSmall) {
    // The service has run; its answer waits to be taken.
    answer = new ArrayBuffer(n);
    return sys.sysTake(changetype<usize>(answer), n) == n ? new Answer(Status.Ok, answer) : new Answer(Status.Internal);
  }
  if (st == Status.Ok && n > USUAL_ANSWER) st = Status.Internal;
  return st == Status.Ok ? new Answer(st, answer.slice(0, n)) : new Answer(st);
}

function askText(service: sys.Service, request: string): Answer {
  const b = new Bytes();
  b.text(request);
  return ask(service, b);
}

/** A request of a name and JSON. */
function named(name: string, data: Json): Bytes {
  const b = new Bytes();
  b.field(name);
  b.raw(data.pointer, data.end - data.start);
  return b;
}

function orNull(v: Json): Json {
  return v.exists ? v : Json.of("null");
}

/** One invocation of the plugin. The services are its methods. */
export class Call {
  event: Event = new Event();
  match: Match = new Match();
  /** The arguments of the step: an object, or missing. */
  with: Json = new Json();
  /** 1 for the first try. */
  attempt: u32 = 1;
  /** The idempotency key of the step: the same for every attempt. */
  key: string = "";

  /**
   * Asks for a new event; missing data is none. Effects (emit, notify, state, kv)
   * happen together when the handler returns OK.
   */
  emit(type: string, data: Json = new Json()): Status {
    return ask(sys.sysEmit, named(type, data)).status;
  }

  /** Asks for a message to the subscribers of a topic. */
  notify(topic: string, data: Json): Status {
    return ask(sys.sysNotify, named(topic, orNull(data))).status;
  }

  /** Reads a key of the tenant's state. A call sees its own writes. */
  stateGet(key: string): Stored {
    const a = askText(sys.sysStateGet, key);
    const s = new Stored(a.status);
    if (!a.ok) return s;
    const r = new Reader(a.bytes);
    s.version = r.u64("version");
    s.value = Json.parse(a.bytes, r.at);
    if (r.bad != "") s.status = Status.Internal;
    return s;
  }

  /** Writes a key, whatever it holds; a missing value is null. */
  stateSet(key: string, value: Json): Status {
    return ask(sys.sysStateSet, named(key, orNull(value))).status;
  }

  /** Removes a key. One that is absent is no error. */
  stateDelete(key: string): Status {
    return ask(sys.sysStateSet, named(key, new Json())).status;
  }

  /**
   * Writes a key if it still has the version that was read; 0: if it is absent.
   * Status.Conflict says that it has another. When somebody else writes the key
   * before this call is done, the whole call runs again.
   */
  stateCas(key: string, version: u64, value: Json): Status {
    const v = orNull(value);
    const b = new Bytes();
    b.u64(version);
    b.field(key);
    b.raw(v.pointer, v.end - v.start);
    return ask(sys.sysStateCas, b).status;
  }

  /** Reads a key of the tenant's store of bytes. */
  kvGet(key: string): Answer {
    return askText(sys.sysKvGet, key);
  }

  /**
   * Writes a key of the store; it is gone after ttl milliseconds, 0: never. An empty
   * value deletes it. The last write wins.
   */
  kvSet(key: string, value: ArrayBuffer, ttl: u64 = 0): Status {
    const b = new Bytes();
    b.field(key);
    b.u64(ttl);
    b.raw(changetype<usize>(value), value.byteLength);
    return ask(sys.sysKvSet, b).status;
  }

  /** Reads a setting that the operator gave the plugin, or all of them for "". */
  config(name: string = ""): Answer {
    return askText(sys.sysConfig, name);
  }

  /** The host's clock: seconds since 1970-01-01T00:00:00Z. */
  now(): Now {
    const a = ask(sys.sysNow, new Bytes());
    const r = new Reader(a.bytes);
    const sec = <i64>r.u64("seconds");
    const nsec = r.u32("nanoseconds");
    return new Now(a.ok && r.bad != "" ? Status.Internal : a.status, sec, nsec);
  }

  /** n random bytes of the host. */
  random(n: i32): Answer {
    const all = new ArrayBuffer(n);
    for (let at = 0; at < n; ) {
      const part = min(n - at, 4096);
      const b = new Bytes();
      b.u32(part);
      const a = ask(sys.sysRandom, b);
      if (!a.ok) return a;
      if (a.bytes.byteLength != part) return new Answer(Status.Internal);
      memory.copy(changetype<usize>(all) + at, changetype<usize>(a.bytes), part);
      at += part;
    }
    return new Answer(Status.Ok, all);
  }

  /**
   * Makes a request. It runs at once and is not undone when the call fails. An
   * answer of 404 or 500 is an answer: the status is ok.
   */
  http(q: Request): Response {
    const b = new Bytes();
    b.field(q.method);
    b.field(q.url);
    b.u32(q.timeout);
    b.u32(q.headers.length);
    for (let i = 0; i < q.headers.length; i++) {
      b.field(q.headers[i].name);
      b.field(q.headers[i].value);
    }
    b.raw(changetype<usize>(q.body), q.body.byteLength);
    const a = ask(sys.sysHttp, b);
    const p = new Response(a.status);
    if (!a.ok) return p;
    const r = new Reader(a.bytes);
    p.code = r.u32("status");
    const n = r.u32("headers");
    for (let i: u32 = 0; i < n && r.bad == ""; i++) {
      const name = r.text("headers");
      p.headers.push(new Header(name, r.text("headers")));
    }
    if (r.bad != "") return new Response(Status.Internal);
    p.body = r.bytes();
    return p;
  }

  /** Reads a secret that the operator granted by name. */
  secret(name: string): Answer {
    return askText(sys.sysSecret, name);
  }

  /** Whether a service may be called, as "http": Ok, Denied, or Unsupported. */
  has(service: string): Status {
    return askText(sys.sysHas, service).status;
  }

  /**
   * Sets the output of the step, which later steps of the rule read as
   * `steps.ID.out`. The last call counts.
   */
  output(v: Json): void {
    const some = orNull(v);
    sys.sysOutput(some.pointer, some.end - some.start);
  }

  /** Passes a line to the host's log. A line longer than 8 KiB is cut. */
  log(level: Level, line: string): void {
    const b = new Bytes();
    b.text(line);
    sys.sysLog(level, b.pointer, b.length);
  }

  /** Ends the step as failed for good: `return c.fail("why")`. */
  fail(why: string): Result {
    return end(1, why);
  }

  /** Ends the attempt; the step's retry policy decides whether there is another. */
  retry(why: string): Result {
    return end(2, why);
  }

  /** Ends the step as done, without effects. */
  drop(why: string): Result {
    return end(3, why);
  }

  /** Ends the attempt because a service was not ok: `return c.refused("emit", st)`. */
  refused(service: string, st: Status): Result {
    return end(2, service + ": " + statusText(st));
  }
}

/** The code that was given to fail last. */
let said: Result = OK;

function end(code: Result, why: string): Result {
  const b = new Bytes();
  b.text(why);
  sys.sysFail(code, b.pointer, b.length);
  said = code;
  return code;
}

export type Handler = (c: Call) => Result;

function noHandler(c: Call): Result {
  return c.fail("the plugin has no handler; call plugin() in its entry file");
}

let handler: Handler = noHandler;

/** Makes a function the handler of the plugin. Once, at the top of its entry file. */
export function plugin(h: Handler): void {
  handler = h;
}

/** Fetches the input of an invocation. */
export function input(n: i32): Reader {
  const frame = new ArrayBuffer(n);
  sys.sysInput(changetype<usize>(frame), n);
  return new Reader(frame);
}

/** Runs the handler on an input frame. */
export function run(r: Reader): Result {
  const c = new Call();
  const version = r.u16("version");
  const flags = r.u16("flags");
  c.attempt = r.u32("attempt");
  c.event.sec = <i64>r.u64("event.time");
  c.event.nsec = r.u32("event.time");
  c.key = r.text("key");
  const match = r.part("match");
  const arg = r.part("with");
  c.event.read(r);
  if (r.bad == "" && version != 1) r.bad = "version";
  if (r.bad != "") return c.fail("input: cannot be read at " + r.bad);
  c.match = new Match(Json.parse(match.buf, match.at, match.end));
  if (flags & 16) c.with = Json.parse(arg.buf, arg.at, arg.end);
  c.event.hasTime = (flags & 2) != 0;
  const data = c.event.raw;
  if ((flags & 12) == 12) c.event.data = Json.parse(data.buf, data.at, data.end);
  return handler(c);
}

/** Runs the handler on an item of a batch. */
export function runItem(i: i32, frame: Reader): void {
  sys.sysItem(i);
  said = OK;
  const result = run(frame);
  if (result != OK && result != said) sys.sysFail(result, 0, 0);
}
