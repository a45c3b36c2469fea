-- lockaccount locks the account that an event names, unless it is locked already or
-- the operator protects it.
--
-- Settings: {"protect": ["root"]}. Arguments of the step: {"reason": "…"}.

---@param call rhost.Call
function invoke(call)
  local user = call.event and call.event.data.user
  if not user then rhost.fail("the event names no user") end
  for _, name in ipairs(call.config.protect or {}) do
    if name == user then
      rhost.warn("not locked, because the settings protect it: " .. user)
      rhost.drop(user .. " is protected")
    end
  end
  local key = "locked/" .. user
  if rhost.state.get(key) then rhost.drop(user .. " is locked already") end
  local ok, why = rhost.state.set(key, { by = call.match.rule, at = call.match.at })
  if not ok then rhost.retry("state_set: " .. why) end
  rhost.emit("account.locked", { user = user, reason = call.with.reason })
  return { locked = user }
end
