-- burst counts events by address and tells a topic when an address reaches a
-- threshold. The count survives in the tenant's state, and no event is lost when two
-- calls count the same address at once.
--
-- Arguments of the step: {"threshold": 10, "topic": "ops"}.

---@param call rhost.Call
function invoke(call)
  local addr = call.event and call.event.data.addr
  if not addr then rhost.drop("the event has no address") end
  local key = "seen/" .. addr
  local old, version = rhost.state.get(key)
  local seen = (old or 0) + 1
  local ok, why = rhost.state.cas(key, old and version or 0, seen)
  if not ok then rhost.retry("state_cas: " .. why) end
  if seen == call.with.threshold then
    rhost.notify(call.with.topic, { addr = addr, seen = seen, last = call.event.id })
  end
end
