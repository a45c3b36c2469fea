// What a plugin exports besides plugin.ts when it may be given many calls in one go:
// `export * from "./rhost-sdk/assembly/batch"`. Unlike single calls, those of a batch
// share an instance: globals keep what the call before left in them.

import { Call, input, runItem } from "./services";

export function rhost_batch(n: i32): i32 {
  const r = input(n);
  const count = r.u32("count");
  for (let i: u32 = 0; i < count; i++) {
    const frame = r.part("item");
    if (r.bad != "") return new Call().fail("input: the batch ends inside an item");
    runItem(i, frame);
  }
  return 0;
}
