// A host in memory, for tests of built plugins in node:
//
//   import { Plugin } from "../rhost-sdk/testing/index.mjs";
//
//   const plugin = await Plugin.load(new URL("../lock.wasm", import.meta.url));
//   const r = plugin.run({ type: "ssh.failed", data: { user: "bob" } });
//   assert.equal(r.result, "ok", r.message);
//   assert.deepEqual(r.emitted("account.locked"), [{ user: "bob" }]);
//
// It runs any module that imports nothing but rhost.v1. Every run has an instance of
// its own, as in the real host. State and kv last from one run to the next when the
// result is ok. Limits of fuel and memory are not here: `rhost plugin test` has them.

import { readFile } from "node:fs/promises";

const status = { ok: 0, not_found: 1, too_small: 2, denied: 3, invalid: 4, conflict: 5, limit: 6, timeout: 7, unavailable: 8, internal: 9, unsupported: 10 };
const results = ["ok", "fail", "retry", "drop"];
const levels = ["debug", "info", "warn", "error"];
const services = ["emit", "notify", "state_get", "state_set", "state_cas", "kv_get", "kv_set", "config", "now", "random", "http", "secret", "has"];

const utf8 = new TextEncoder();
const text = (bytes) => new TextDecoder().decode(bytes);
const bytesOf = (v) => (v instanceof Uint8Array ? v : utf8.encode(v));

/** A refusal of a service, by the name of its status. */
class Refusal extends Error {
  constructor(name) {
    super(name);
    this.status = status[name];
  }
}

/** Reads a message. */
class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = 0;
  }
  take(n) {
    if (this.at + n > this.bytes.length) throw new Refusal("invalid");
    this.at += n;
    return this.at - n;
  }
  u32() { return this.view.getUint32(this.take(4), true); }
  u64() { return this.view.getBigUint64(this.take(8), true); }
  string() {
    const n = this.u32();
    const from = this.take(n);
    return text(this.bytes.subarray(from, from + n));
  }
  tail() { return this.bytes.slice(this.at); }
}

/** Builds a message. */
class Message {
  parts = [];
  fixed(n, set) {
    const b = new Uint8Array(n);
    set(new DataView(b.buffer));
    this.parts.push(b);
    return this;
  }
  u8(v) { return this.fixed(1, (d) => d.setUint8(0, v)); }
  u16(v) { return this.fixed(2, (d) => d.setUint16(0, v, true)); }
  u32(v) { return this.fixed(4, (d) => d.setUint32(0, v, true)); }
  u64(v) { return this.fixed(8, (d) => d.setBigUint64(0, BigInt.asUintN(64, BigInt(v)), true)); }
  f64(v) { return this.fixed(8, (d) => d.setFloat64(0, v, true)); }
  tail(v) { this.parts.push(bytesOf(v)); return this; }
  field(v) { const b = bytesOf(v); return this.u32(b.length).tail(b); }
  done() { return new Uint8Array(Buffer.concat(this.parts)); }
}

/** Milliseconds since 1970 of a time, as seconds and nanoseconds. */
function instant(time) {
  const ms = new Date(time).getTime();
  const sec = Math.floor(ms / 1000);
  return [sec, (ms - sec * 1000) * 1e6];
}

function isJSON(contentType) {
  const t = contentType.split(";")[0].trim().toLowerCase();
  return t === "" || t === "application/json" || t === "text/json" || t.endsWith("+json");
}

/** The input frame of a call. */
export function frame(event, { with: args, match, attempt = 1, key = "key-1" } = {}) {
  const e = { id: event ? "event-1" : "", source: "", type: "", subject: "", contentType: "", dataSchema: "", ext: {}, ...event };
  const data = e.data === undefined ? undefined : e.data instanceof Uint8Array ? e.data : isJSON(e.contentType) ? JSON.stringify(e.data) : String(e.data);
  const m = { tenant: "default", rule: "test", version: "1", id: "match-1", at: "2026-01-01T00:00:00Z", trigger: event ? e.id : "time", bind: {}, ...match };
  const [sec, nsec] = e.time === undefined ? [0, 0] : instant(e.time);
  const flags = [event !== undefined && event !== null, e.time !== undefined, data !== undefined, isJSON(e.contentType), args !== undefined];
  const b = new Message().u16(1).u16(flags.reduce((bits, on, i) => bits | (on << i), 0)).u32(attempt).u64(sec).u32(nsec);
  b.field(key).field(JSON.stringify(m)).field(args === undefined ? "" : JSON.stringify(args));
  b.field(e.id).field(e.source).field(e.type).field(e.subject).field(e.contentType).field(e.dataSchema).field(data ?? "");
  const ext = Object.entries(e.ext).sort();
  b.u32(ext.length);
  for (const [name, value] of ext) {
    b.field(name);
    if (value === null) b.u8(0);
    else if (typeof value === "boolean") b.u8(1).u8(value);
    else if (typeof value === "number") b.u8(2).f64(value);
    else b.u8(3).field(String(value));
  }
  return b.done();
}

/** What a run gave. */
class Outcome {
  result = "ok"; // "ok", "fail", "retry" or "drop"
  message = ""; // why, for results other than ok
  output = undefined; // of the step
  effects = []; // {kind, name, value}: "emit", "notify", "state_set", "kv_set"; empty unless ok
  logs = []; // "info: line"
  requests = []; // {service, bytes}: every service call

  emitted(type) { return this.values("emit", type); }
  notified(topic) { return this.values("notify", topic); }
  values(kind, name) { return this.effects.filter((e) => e.kind === kind && e.name === name).map((e) => e.value); }
}

/** A built plugin, with the host around it. Its fields may be changed between runs. */
export class Plugin {
  config = {}; // settings
  now = "2026-01-01T00:00:00Z";
  deny = []; // services that answer "denied"
  secrets = {}; // name → value
  http = {}; // "GET https://…" → {status, headers, body}, or the name of a status
  state = new Map(); // key → {value, version}
  kv = new Map(); // key → Uint8Array

  static async load(file) {
    const p = new Plugin();
    p.module = await WebAssembly.compile(await readFile(file));
    return p;
  }

  /** What the module imports from rhost.v1, sorted. */
  get imports() {
    return WebAssembly.Module.imports(this.module).filter((i) => i.module === "rhost.v1").map((i) => i.name).sort();
  }

  /** Runs a call with an event, or with none. A trap is thrown. */
  run(event, options) {
    return this.runFrame(frame(event, options));
  }

  /** Runs a call on the bytes of an input frame. */
  runFrame(bytes) {
    const run = new Run(this, bytes);
    return run.invoke();
  }
}

/** One run: an instance, and what it has done so far. */
class Run {
  kept = undefined;
  code = 0;
  seed = 0;
  outcome = new Outcome();
  state = new Map();
  kv = new Map();

  constructor(host, bytes) {
    this.host = host;
    this.bytes = bytes;
    const imports = {
      input: (dst, cap) => { if (cap >= bytes.length) this.memory(dst, bytes.length).set(bytes); return bytes.length; },
      output: (p, n) => { this.outcome.output = JSON.parse(text(this.memory(p, n))); },
      fail: (code, p, n) => { this.code = code; this.outcome.message = text(this.memory(p, n)); },
      log: (level, p, n) => { this.outcome.logs.push(`${levels[Math.min(Math.max(level, 0), 3)]}: ${text(this.memory(p, n))}`); },
      take: (dst, cap) => this.take(dst, cap),
      item: () => {},
    };
    for (const name of services) imports[name] = (p, n, out, room) => this.serve(name, this.memory(p, n).slice(), out, room);
    this.instance = new WebAssembly.Instance(host.module, { "rhost.v1": imports });
  }

  memory(p, n) {
    const all = this.instance.exports.memory.buffer;
    if ((p >>> 0) + (n >>> 0) > all.byteLength) throw new RangeError("a pointer outside the memory");
    return new Uint8Array(all, p >>> 0, n >>> 0);
  }

  invoke() {
    const { _initialize, rhost_init, rhost_invoke } = this.instance.exports;
    _initialize?.();
    rhost_init?.(0);
    let code = rhost_invoke(this.bytes.length);
    if (code === 0) code = this.code;
    const r = this.outcome;
    r.result = results[code];
    if (code === 0) {
      for (const [key, v] of this.state) this.host.state.set(key, v);
      for (const [key, v] of this.kv) this.host.kv.set(key, v);
    } else r.effects = [];
    return r;
  }

  take(dst, cap) {
    if (this.kept === undefined) return -1;
    const n = this.kept.length;
    if (cap >= n) {
      this.memory(dst, n).set(this.kept);
      this.kept = undefined;
    }
    return n;
  }

  serve(name, request, out, room) {
    this.kept = undefined;
    this.outcome.requests.push({ service: name, bytes: request });
    const pack = (st, n) => (BigInt(st) << 32n) | BigInt(n);
    try {
      if (this.host.deny.includes(name)) throw new Refusal("denied");
      const answer = this[name](new Reader(request), request) ?? new Uint8Array();
      if (answer.length > room) {
        this.kept = answer;
        return pack(status.too_small, answer.length);
      }
      this.memory(out, answer.length).set(answer);
      return pack(status.ok, answer.length);
    } catch (e) {
      if (e instanceof Refusal) return pack(e.status, 0);
      throw e;
    }
  }

  effect(kind, name, value) {
    if (name === "") throw new Refusal("invalid");
    this.outcome.effects.push({ kind, name, value });
  }

  json(bytes) {
    try {
      return JSON.parse(text(bytes));
    } catch {
      throw new Refusal("invalid");
    }
  }

  emit(r) {
    const name = r.string(), data = r.tail();
    this.effect("emit", name, data.length ? this.json(data) : undefined);
  }

  notify(r) {
    const topic = r.string();
    this.effect("notify", topic, this.json(r.tail()));
  }

  entry(key) { return this.state.get(key) ?? this.host.state.get(key) ?? { value: undefined, version: 0 }; }

  state_get(_, request) {
    const { value, version } = this.entry(text(request));
    if (value === undefined) throw new Refusal("not_found");
    return new Message().u64(version).tail(JSON.stringify(value)).done();
  }

  state_set(r) { this.write(r.string(), r.tail()); }

  state_cas(r) {
    const expect = r.u64(), key = r.string();
    const { value, version } = this.entry(key);
    if (expect !== BigInt(value === undefined ? 0 : version)) throw new Refusal("conflict");
    this.write(key, r.tail());
  }

  write(key, bytes) {
    const value = bytes.length ? this.json(bytes) : undefined;
    this.effect("state_set", key, value);
    this.state.set(key, { value, version: this.entry(key).version + 1 });
  }

  kv_get(_, request) {
    const key = text(request);
    const v = this.kv.get(key) ?? this.host.kv.get(key);
    if (!v?.length) throw new Refusal("not_found");
    return bytesOf(v);
  }

  kv_set(r) {
    const key = r.string();
    r.u64(); // time to live: time stands still here
    const value = r.tail();
    this.effect("kv_set", key, value);
    this.kv.set(key, value);
  }

  config(_, request) {
    const name = text(request);
    const v = name === "" ? this.host.config : this.host.config[name];
    if (v === undefined) throw new Refusal("not_found");
    return bytesOf(JSON.stringify(v));
  }

  now() {
    const [sec, nsec] = instant(this.host.now);
    return new Message().u64(sec).u32(nsec).done();
  }

  random(r) {
    const n = r.u32();
    if (n > 4096) throw new Refusal("limit");
    return Uint8Array.from({ length: n }, () => (this.seed = (Math.imul(this.seed, 1664525) + 1013904223) >>> 0) >>> 24);
  }

  http(r) {
    const mock = this.host.http[`${r.string()} ${r.string()}`] ?? "denied";
    if (typeof mock === "string") throw new Refusal(mock);
    const headers = Object.entries(mock.headers ?? {});
    const b = new Message().u32(mock.status ?? 200).u32(headers.length);
    for (const [name, value] of headers) b.field(name).field(value);
    return b.tail(mock.body ?? "").done();
  }

  secret(_, request) {
    const v = this.host.secrets[text(request)];
    if (v === undefined) throw new Refusal("not_found");
    return bytesOf(v);
  }

  has(_, request) {
    const name = text(request);
    if (!services.includes(name)) throw new Refusal("unsupported");
    if (this.host.deny.includes(name)) throw new Refusal("denied");
  }
}
