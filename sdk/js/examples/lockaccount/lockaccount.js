// lockaccount locks the account that an event names, unless it is locked already or
// the operator protects it.
//
// Settings: {"protect": ["root"]}. Arguments of the step: {"reason": "…"}.

/** @param {Rhost.Call<{user?: string}, {reason?: string}, {protect?: string[]}>} call */
export function invoke(call) {
  const user = call.event?.data.user;
  if (!user) rhost.fail("the event names no user");
  if ((call.config.protect ?? []).includes(user)) {
    rhost.warn(`not locked, because the settings protect it: ${user}`);
    rhost.drop(`${user} is protected`);
  }
  const key = `locked/${user}`;
  if (rhost.state.get(key)) rhost.drop(`${user} is locked already`);
  rhost.state.set(key, { by: call.match.rule, at: call.match.at });
  rhost.emit("account.locked", { user, reason: call.with.reason ?? null });
  return { locked: user };
}
