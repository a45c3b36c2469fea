// What a plugin exports: `export * from "./rhost-sdk/assembly/plugin"`.

import { input, run } from "./services";

export function rhost_abi_v1(): void {}

export function rhost_invoke(n: i32): i32 {
  return run(input(n));
}
