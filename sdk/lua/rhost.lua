---@meta
-- Annotations of what a rhost plugin written in Lua sees, for editors that read
-- LuaLS's comments. The file is never run. A plugin says what it takes with
--
--     ---@param call rhost.Call
--     function invoke(call) … end

---One invocation of the plugin. In tables made from JSON, null members are absent.
---@class rhost.Call
---@field event rhost.Event|nil  the event that completed the match; nil when time did
---@field match rhost.Match
---@field with table  the arguments of the step
---@field config table  the operator's settings of the plugin
---@field attempt integer  1 for the first try
---@field key string  idempotency key of the step: the same for every attempt

---A CloudEvent.
---@class rhost.Event
---@field id string
---@field source string
---@field type string
---@field subject string|nil
---@field time string|nil  RFC 3339, in UTC
---@field datacontenttype string|nil
---@field dataschema string|nil
---@field data any  the payload, decoded; other text than JSON is a string
---@field ext table<string, any>  extension attributes

---@class rhost.Match
---@field tenant string
---@field rule string
---@field version string
---@field id string  the same when the log is replayed
---@field at string|nil  when it happened, in the time of the events: RFC 3339
---@field trigger string  id of the event that completed the match, or "time"
---@field bind table<string, string[]>  ids of the events of each element

---Why a service refused.
---@alias rhost.Status "not_found"|"denied"|"invalid"|"conflict"|"limit"|"timeout"|"unavailable"|"internal"|"unsupported"
---@alias rhost.Level "debug"|"info"|"warn"|"error"

---@class rhost.Request
---@field url string
---@field method string|nil  GET, or POST when there is a body
---@field headers table<string, string|number|boolean>|nil
---@field body any  a string is sent as it is, any other value as JSON
---@field timeout number|nil  milliseconds

---@class rhost.Response
---@field status integer
---@field headers table<string, string>  names are in lower case
---@field body string

---The services of the host. Each gives true, or what was asked for; when the host
---refuses, nil and the name of a status.
rhost = {}

---The operator's settings of the plugin.
---@type table
rhost.config = {}

---Asks for a new event. Effects happen together, when invoke returns.
---@param type string
---@param data any
---@return true|nil ok
---@return rhost.Status|nil why
function rhost.emit(type, data) end

---Asks for a message to the subscribers of a topic.
---@param topic string
---@param data any
---@return true|nil ok
---@return rhost.Status|nil why
function rhost.notify(topic, data) end

---The tenant's state: JSON with versions.
rhost.state = {}

---@param key string
---@return any value  nil when the key is absent
---@return integer|rhost.Status version  for cas
function rhost.state.get(key) end

---@param key string
---@param value any
---@return true|nil ok
---@return rhost.Status|nil why
function rhost.state.set(key, value) end

---@param key string
---@return true|nil ok
---@return rhost.Status|nil why
function rhost.state.delete(key) end

---Writes the key if it has that version; 0: if it is absent.
---@param key string
---@param version integer
---@param value any
---@return true|nil ok
---@return rhost.Status|nil why  "conflict" when it has another version
function rhost.state.cas(key, version, value) end

---The tenant's store of bytes: no versions, the last write wins.
rhost.kv = {}

---@param key string
---@return string|nil value
---@return rhost.Status|nil why
function rhost.kv.get(key) end

---Keeps the value for so many milliseconds, or for ever.
---@param key string
---@param value string
---@param ms number|nil
---@return true|nil ok
---@return rhost.Status|nil why
function rhost.kv.set(key, value, ms) end

---@param key string
---@return true|nil ok
---@return rhost.Status|nil why
function rhost.kv.delete(key) end

---Makes a request. It runs at once and is not undone when the call fails.
---@param request rhost.Request
---@return rhost.Response|nil response
---@return rhost.Status|nil why
function rhost.http(request) end

---A secret that the operator set.
---@param name string
---@return string|nil value
---@return rhost.Status|nil why
function rhost.secret(name) end

---Whether a service, by its name in the ABI ("http", "kv_get"), is there and granted.
---@param service string
---@return true|nil ok
---@return rhost.Status|nil why
function rhost.has(service) end

rhost.json = {}

---@param value any
---@return string
function rhost.json.encode(value) end

---@param text string
---@return any value
---@return rhost.Status|nil why  "invalid" when the text is not JSON
function rhost.json.decode(text) end

---The host's time in milliseconds since 1970.
---@return number|nil now
---@return rhost.Status|nil why
function rhost.now() end

---A string of n random bytes, at most 4,096.
---@param n integer
---@return string|nil bytes
---@return rhost.Status|nil why
function rhost.random(n) end

---Marks a table as a JSON list, which matters for an empty one.
---@param list table|nil
---@return table
function rhost.array(list) end

---@overload fun(message: any)
---@param level rhost.Level
---@param message any
function rhost.log(level, message) end

---@param message any
function rhost.debug(message) end

---@param message any
function rhost.info(message) end

---@param message any
function rhost.warn(message) end

---@param message any
function rhost.error(message) end

---Ends the step as failed for good. pcall does not catch it.
---@param why any
function rhost.fail(why) end

---Ends the attempt; the step's retry policy decides whether there is another.
---@param why any
function rhost.retry(why) end

---Ends the step as done, without effects.
---@param why any
function rhost.drop(why) end
