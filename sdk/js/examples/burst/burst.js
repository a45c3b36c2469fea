// burst counts events by address and tells a topic when an address reaches a
// threshold. The count survives in the tenant's state, and no event is lost when two
// calls count the same address at once.
//
// Arguments of the step: {"threshold": 10, "topic": "ops"}.

/** @param {Rhost.Call<{addr?: string}, {threshold: number, topic: string}>} call */
export function invoke(call) {
  const addr = call.event?.data.addr;
  if (!addr) rhost.drop("the event has no address");
  const key = `seen/${addr}`;
  const old = rhost.state.get(key);
  const seen = old ? old.value + 1 : 1;
  if (!rhost.state.cas(key, old ? old.version : 0, seen)) rhost.retry("state_cas: conflict");
  if (seen === call.with.threshold) {
    rhost.notify(call.with.topic, { addr, seen, last: call.event.id });
  }
}
