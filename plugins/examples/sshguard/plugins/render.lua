-- Puts a decision into words for the people on call.
function invoke(call)
  local d = call.with.decision
  local text
  if d.action == "block" then
    text = string.format("blocked %s after %d failed logins, the last as %s (block %d of this address)",
      d.ip, d.attempts, d.user ~= "" and d.user or "(empty name)", d.times)
  else
    text = string.format("left %s alone: %s", d.ip, d.reason)
  end
  return { text = text }
end
