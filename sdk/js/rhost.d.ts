// Types of what a rhost plugin written in JavaScript sees, for editors:
//
//     /** @param {Rhost.Call} call */
//     export function invoke(call) { … }
//
// with a jsconfig.json that includes this file and sets checkJs.

declare namespace Rhost {
  /** Anything that JSON holds. */
  type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

  /** Bytes: a string where they are UTF-8, else an array of numbers from 0 to 255. */
  type Bytes = string | number[];

  /** One invocation of the plugin. */
  interface Call<Data = any, With = any, Config = any> {
    /** The event that completed the match; null when time did. */
    event: Event<Data> | null;
    /** Which rule matched, and what. */
    match: Match;
    /** The arguments of the step. */
    with: With;
    /** The operator's settings of the plugin. */
    config: Config;
    /** 1 for the first try. */
    attempt: number;
    /** Idempotency key of the step: the same for every attempt. */
    key: string;
  }

  /** A CloudEvent. */
  interface Event<Data = any> {
    id: string;
    source: string;
    type: string;
    subject?: string;
    /** RFC 3339, in UTC. */
    time?: string;
    datacontenttype?: string;
    dataschema?: string;
    /** The payload, decoded; other text than JSON is a string, other bytes are null. */
    data: Data;
    /** Extension attributes. */
    ext: { [name: string]: Json };
  }

  interface Match {
    tenant: string;
    rule: string;
    version: string;
    /** The same when the log is replayed. */
    id: string;
    /** When it happened, in the time of the events: RFC 3339. */
    at?: string;
    /** Id of the event that completed the match, or "time". */
    trigger: string;
    /** Ids of the events that each element of the pattern stands for. */
    bind: { [element: string]: string[] };
  }

  /** What a service throws when the host refuses. */
  interface RhostError extends TypeError {
    name: "RhostError";
    status: "not_found" | "denied" | "invalid" | "conflict" | "limit" | "timeout" | "unavailable" | "internal" | "unsupported";
  }

  interface State {
    /** The value of a key and its version, or null when it is absent. */
    get<T = any>(key: string): { value: T; version: number } | null;
    set(key: string, value: any): void;
    delete(key: string): void;
    /** Writes the key if it has that version; 0: if it is absent. False when it has another. */
    cas(key: string, version: number, value: any): boolean;
  }

  /** The tenant's store of bytes: no versions, the last write wins. */
  interface KV {
    get(key: string): Bytes | null;
    /** Keeps the value for so many milliseconds, or for ever. */
    set(key: string, value: Bytes, ms?: number): void;
    delete(key: string): void;
  }

  interface Request {
    url: string;
    /** GET, or POST when there is a body. */
    method?: string;
    headers?: { [name: string]: string | number | boolean };
    /** A string is sent as it is, any other value as JSON. */
    body?: any;
    /** Milliseconds; else what is left of the call. */
    timeout?: number;
  }

  interface Response {
    status: number;
    /** Names are in lower case. */
    headers: { [name: string]: string };
    body: Bytes;
  }

  interface Log {
    debug(...what: any[]): void;
    info(...what: any[]): void;
    warn(...what: any[]): void;
    error(...what: any[]): void;
  }

  /** The services of the host. */
  interface Services extends Log {
    /** Asks for a new event. Effects happen together, when invoke returns. */
    emit(type: string, data?: any): void;
    /** Asks for a message to the subscribers of a topic. */
    notify(topic: string, data?: any): void;
    readonly state: State;
    readonly kv: KV;
    /** Makes a request. It runs at once and is not undone when the call fails. */
    http(request: Request): Response;
    /** A secret that the operator set, or null. */
    secret(name: string): Bytes | null;
    /** Whether a service, by its name in the ABI ("http", "kv_get"), is there and granted. */
    has(service: string): boolean;
    /** The host's time in milliseconds since 1970. */
    now(): number;
    /** n random bytes, at most 4,096. */
    random(n: number): number[];
    log(message: any): void;
    log(level: "debug" | "info" | "warn" | "error", message: any): void;
    /** Ends the step as failed for good. */
    fail(why?: any): never;
    /** Ends the attempt; the step's retry policy decides whether there is another. */
    retry(why?: any): never;
    /** Ends the step as done, without effects. */
    drop(why?: any): never;
    /** The operator's settings of the plugin. */
    readonly config: any;
  }
}

declare const rhost: Rhost.Services;
declare const console: Rhost.Log & { log(...what: any[]): void };
