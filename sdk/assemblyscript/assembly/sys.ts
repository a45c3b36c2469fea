// The functions of the host. Those that no code reaches are not in the module: the
// list of imports is what a host grants capabilities by.

/** A service: request, room for the answer, `status << 32 | length`. */
export type Service = (request: usize, n: i32, answer: usize, room: i32) => u64;

// @ts-ignore: decorator
@external("rhost.v1", "input") export declare function sysInput(dst: usize, cap: i32): i32;
// @ts-ignore: decorator
@external("rhost.v1", "output") export declare function sysOutput(p: usize, n: i32): void;
// @ts-ignore: decorator
@external("rhost.v1", "fail") export declare function sysFail(code: i32, p: usize, n: i32): void;
// @ts-ignore: decorator
@external("rhost.v1", "log") export declare function sysLog(level: i32, p: usize, n: i32): void;
// @ts-ignore: decorator
@external("rhost.v1", "take") export declare function sysTake(dst: usize, cap: i32): i32;
// @ts-ignore: decorator
@external("rhost.v1", "item") export declare function sysItem(i: i32): void;
// @ts-ignore: decorator
@external("rhost.v1", "emit") export declare function sysEmit(request: usize, n: i32, answer: usize, room: i32): u64;
// @ts-ignore: decorator
@external("rhost.v1", "notify") export declare function sysNotify(request: usize, n: i32, answer: usize, room: i32): u64;
// @ts-ignore: decorator
@external("rhost.v1", "state_get") export declare function sysStateGet(request: usize, n: i32, answer: usize, room: i32): u64;
// @ts-ignore: decorator
@external("rhost.v1", "state_set") export declare function sysStateSet(request: usize, n: i32, answer: usize, room: i32): u64;
// @ts-ignore: decorator
@external("rhost.v1", "state_cas") export declare function sysStateCas(request: usize, n: i32, answer: usize, room: i32): u64;
// @ts-ignore: decorator
@external("rhost.v1", "kv_get") export declare function sysKvGet(request: usize, n: i32, answer: usize, room: i32): u64;
// @ts-ignore: decorator
@external("rhost.v1", "kv_set") export declare function sysKvSet(request: usize, n: i32, answer: usize, room: i32): u64;
// @ts-ignore: decorator
@external("rhost.v1", "config") export declare function sysConfig(request: usize, n: i32, answer: usize, room: i32): u64;
// @ts-ignore: decorator
@external("rhost.v1", "now") export declare function sysNow(request: usize, n: i32, answer: usize, room: i32): u64;
// @ts-ignore: decorator
@external("rhost.v1", "random") export declare function sysRandom(request: usize, n: i32, answer: usize, room: i32): u64;
// @ts-ignore: decorator
@external("rhost.v1", "http") export declare function sysHttp(request: usize, n: i32, answer: usize, room: i32): u64;
// @ts-ignore: decorator
@external("rhost.v1", "secret") export declare function sysSecret(request: usize, n: i32, answer: usize, room: i32): u64;
// @ts-ignore: decorator
@external("rhost.v1", "has") export declare function sysHas(request: usize, n: i32, answer: usize, room: i32): u64;

/**
 * Ends the call as a trap, with the reason in the host's log. asconfig.json puts it
 * in the place of AssemblyScript's own: `"use": ["abort=rhost-sdk/assembly/sys/onAbort"]`.
 */
export function onAbort(message: string | null, file: string | null, line: u32, column: u32): void {
  let text = message === null ? "abort" : message;
  if (file !== null) text += " at " + file + ":" + line.toString() + ":" + column.toString();
  const b = String.UTF8.encode(text);
  sysLog(3, changetype<usize>(b), b.byteLength);
  unreachable();
}
