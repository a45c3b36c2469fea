// A host in memory, for tests of JavaScript plugins in node:
//
//   import { Plugin } from "./rhost-sdk/testing.mjs";
//
//   const plugin = Plugin.load(new URL("lock.js", import.meta.url));
//   const r = await plugin.run({ type: "ssh.failed", data: { user: "bob" } });
//   assert.equal(r.result, "ok", r.message);
//   assert.deepEqual(r.emitted("account.locked"), [{ user: "bob" }]);
//
// Every run has a context of its own, in which the plugin finds rhost, console and
// the language, and nothing of node. State and kv last from one run to the next when
// the result is ok. Node's JavaScript is younger than the host's: limits, missing
// parts of the language and fuel are what `rhost plugin test` is for.

import { readFileSync } from "node:fs";
import { createContext, runInContext } from "node:vm";

const services = ["emit", "notify", "state_get", "state_set", "state_cas", "kv_get", "kv_set", "config", "now", "random", "http", "secret", "has"];

/** A value without its realm, as JSON has it; undefined stays. */
const plain = (v) => (v === undefined ? undefined : JSON.parse(JSON.stringify(v) ?? "null"));

/** The script without its exports, and the name of the function to call. */
function script(text) {
  let name = "invoke";
  text = text.replace(/^([ \t]*)export\s+(?=(async\s+)?function\b|const\b|let\b|var\b|class\b)/gm, "$1");
  text = text.replace(/^[ \t]*export\s*\{([^}]*)\}\s*;?/gm, (_, list) => {
    for (const item of list.split(",")) {
      const [local, exported] = item.trim().split(/\s+as\s+/);
      if (exported === "invoke") name = local;
    }
    return "";
  });
  return `"use strict";${text}\n;globalThis.__invoke = ${name};`;
}

/** How a call that did not return ends. */
class End {}

/** What a run gave. */
class Outcome {
  result = "ok"; // "ok", "fail", "retry", "drop" or "fault"
  message = ""; // why, for results other than ok
  output = undefined; // of the step
  effects = []; // {kind, name, value}: "emit", "notify", "state_set", "kv_set"; empty unless ok
  logs = []; // "info: line"

  emitted(type) { return this.values("emit", type); }
  notified(topic) { return this.values("notify", topic); }
  values(kind, name) { return this.effects.filter((e) => e.kind === kind && e.name === name).map((e) => e.value); }
}

/** A plugin, with the host around it. Its fields may be changed between runs. */
export class Plugin {
  config = {}; // settings
  now = "2026-01-01T00:00:00Z";
  deny = []; // services that are denied, by their names in the ABI: "emit", "state_get", …
  secrets = {}; // name → value
  http = {}; // "GET https://…" → {status, headers, body}, or the name of a status
  state = new Map(); // key → {value, version}
  kv = new Map(); // key → string or array of bytes

  static load(file) {
    const p = new Plugin();
    p.source = script(readFileSync(file, "utf8"));
    p.file = String(file);
    return p;
  }

  /** Runs a call with an event, or with none. */
  async run(event, { with: args = {}, match, attempt = 1, key = "key-1" } = {}) {
    const e = event ? { id: "event-1", source: "", data: null, ext: {}, ...event } : null;
    const m = { tenant: "default", rule: "test", version: "1", id: "match-1", at: "2026-01-01T00:00:00Z", trigger: e ? e.id : "time", bind: {}, ...match };
    const run = new Run(this);
    return run.call({ match: m, event: e, with: args, config: this.config, attempt, key });
  }
}

/** One run: a context, and what it has done so far. */
class Run {
  outcome = new Outcome();
  ended = undefined;
  seed = 0;
  state = new Map();
  kv = new Map();

  constructor(host) {
    this.host = host;
  }

  async call(call) {
    const r = this.outcome;
    const context = createContext(Object.create(null), { codeGeneration: { strings: false, wasm: false } });
    Object.assign(context, { rhost: this.services(call.config), console: { ...this.levels(), log: this.levels().info }, __call: JSON.stringify(call) });
    try {
      runInContext(this.host.source, context, { filename: this.host.file });
      const out = await runInContext("__invoke(JSON.parse(__call))", context);
      r.output = plain(out);
    } catch (e) {
      if (!(e instanceof End)) {
        r.result = "fault";
        r.message = e?.stack ?? String(e);
      }
    }
    if (this.ended) Object.assign(r, this.ended, { output: undefined });
    if (r.result === "ok") {
      for (const [key, v] of this.state) this.host.state.set(key, v);
      for (const [key, v] of this.kv) v === undefined ? this.host.kv.delete(key) : this.host.kv.set(key, v);
    } else r.effects = [];
    return r;
  }

  refuse(status) {
    throw Object.assign(new TypeError(`the host refused: ${status}`), { name: "RhostError", status });
  }

  check(service, name) {
    if (this.host.deny.includes(service)) this.refuse("denied");
    if (name === "" || name?.length > 256) this.refuse("invalid");
  }

  effect(kind, name, value) {
    this.outcome.effects.push({ kind, name, value: plain(value) });
  }

  levels() {
    const at = (level) => (...what) => {
      this.outcome.logs.push(`${level}: ${what.map((v) => (typeof v === "object" ? JSON.stringify(v) : String(v))).join(" ")}`);
    };
    return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  }

  ending(result) {
    return (why = "") => {
      this.ended ??= { result, message: typeof why === "object" ? JSON.stringify(why) : String(why) };
      throw new End();
    };
  }

  services(config) {
    const { host } = this;
    const levels = this.levels();
    return {
      ...levels,
      log: (...args) => (args.length > 1 ? levels[args[0]](args[1]) : levels.info(args[0])),
      emit: (type, data) => { this.check("emit", type); this.effect("emit", type, data); },
      notify: (topic, data = null) => { this.check("notify", topic); this.effect("notify", topic, data); },
      state: this.stateService(),
      kv: this.kvService(),
      http: (request) => this.request(request),
      secret: (name) => { this.check("secret", name); return host.secrets[name] ?? null; },
      has: (name) => services.includes(name) && !host.deny.includes(name),
      now: () => { this.check("now"); return new Date(host.now).getTime(); },
      random: (n) => {
        this.check("random");
        if (n > 4096) this.refuse("limit");
        return Array.from({ length: n }, () => (this.seed = (Math.imul(this.seed, 1664525) + 1013904223) >>> 0) >>> 24);
      },
      fail: this.ending("fail"), retry: this.ending("retry"), drop: this.ending("drop"),
      config,
    };
  }

  entry(key) { return this.state.get(key) ?? this.host.state.get(key) ?? { value: undefined, version: 0 }; }

  stateService() {
    const write = (key, value) => {
      this.state.set(key, { value: plain(value), version: this.entry(key).version + 1 });
      this.effect("state_set", key, value);
    };
    return {
      get: (key) => {
        this.check("state_get", key);
        const { value, version } = this.entry(key);
        return value === undefined ? null : { value: plain(value), version };
      },
      set: (key, value) => { this.check("state_set", key); write(key, value ?? null); },
      delete: (key) => { this.check("state_set", key); write(key, undefined); },
      cas: (key, version, value) => {
        this.check("state_cas", key);
        const old = this.entry(key);
        if (version !== (old.value === undefined ? 0 : old.version)) return false;
        write(key, value ?? null);
        return true;
      },
    };
  }

  kvService() {
    const write = (key, value) => {
      this.check("kv_set", key);
      this.kv.set(key, value);
      this.effect("kv_set", key, value);
    };
    return {
      get: (key) => {
        this.check("kv_get", key);
        return (this.kv.has(key) ? this.kv.get(key) : this.host.kv.get(key)) ?? null;
      },
      set: (key, value) => write(key, value.length ? value : undefined),
      delete: (key) => write(key, undefined),
    };
  }

  request({ url, method, body } = {}) {
    this.check("http", url);
    const mock = this.host.http[`${(method ?? (body === undefined ? "GET" : "POST")).toUpperCase()} ${url}`] ?? "denied";
    if (typeof mock === "string") this.refuse(mock);
    return { status: mock.status ?? 200, headers: { ...mock.headers }, body: mock.body ?? "" };
  }
}
