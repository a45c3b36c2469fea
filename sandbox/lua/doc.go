// Package lua runs guests written in Lua 5.1, on gopher-lua.
//
// A script defines a global function and nothing else is asked of it:
//
//	function invoke(call)
//	  if call.event.data.user == "root" then
//	    rhost.emit("login.refused", {user = call.event.data.user})
//	  end
//	  return {seen = call.event.id}
//	end
//
// The file is compiled once. Every call gets a Lua state of its own, runs the
// file from its first line and then invoke, so no call sees anything of another.
//
// # What a script sees
//
// call holds match, event, with, config, attempt and key; event.data is the
// decoded payload. In tables made from JSON, null members are absent, and null
// inside a list is a value of its own that compares equal to nothing but itself.
//
// The services are functions of rhost. Each gives true, or what was asked for;
// when the host refuses, nil and the name of a status ("denied", "conflict",
// "limit", "not_found", "invalid"):
//
//	rhost.emit(type [, data])           rhost.notify(topic [, data])
//	rhost.state.get(key)                value, version
//	rhost.state.set(key, value)         rhost.state.delete(key)
//	rhost.state.cas(key, version, value)  version 0: the key must be absent
//	rhost.kv.get(key)                   a string of bytes
//	rhost.kv.set(key, string [, ms])    kept for so many milliseconds, or for ever
//	rhost.kv.delete(key)
//	rhost.http{url=, method=, headers=, body=, timeout=}  {status=, headers=, body=}
//	rhost.secret(name)                  the secret's bytes
//	rhost.has(name)                     whether a service, by its name in the ABI
//	                                    ("http", "kv_get"), is there and granted
//	rhost.json.encode(value)            a string; decode(string) is the inverse
//	rhost.now()                         milliseconds since 1970
//	rhost.random(n)                     a string of n bytes
//	rhost.log([level,] msg)             also debug, info, warn and error; print logs too
//	rhost.config                        the operator's settings
//	rhost.array([t])                    marks t as a JSON list
//
// Returning ends the call well; what invoke returns becomes the output. A table
// becomes a JSON list when it has a first item, t[1], or is marked as a list, else
// an object. rhost.fail(msg), rhost.retry(msg) and rhost.drop() end the
// call at once; neither pcall nor a coroutine keeps it running. A result without
// a JSON form (a function, a table that contains itself, NaN) fails the call.
//
// Missing from Lua 5.1 are the libraries io, os, debug and package, and
// collectgarbage, dofile, getfenv, load, loadfile, loadstring, module, newproxy,
// require and setfenv. math.random is the guest's own generator, tostring prints
// no addresses, and pairs goes through a table in the order its keys came in.
//
// # How it is held
//
// The interpreter asks its context before every instruction whether it is done.
// The context here (thread) charges for the instruction at that moment, having
// looked at what it is about to do: one unit of fuel each, more for those that
// copy, compare or make something large, and bytes for what they allocate. The
// library functions are charged on entry, and those whose cost depends on their
// arguments (patterns, sorting, formatting) as they go. To look at the
// instruction the package reads private structures of the interpreter; New
// fails when they are not where they were when this was written (view.go).
//
// So a loop ends as a fuel fault wherever it hides: in a coroutine, a
// metamethod, a comparison or a pattern. Strings are at most script.MaxText
// bytes. Recursion ends as a stack fault: Limits.Stack counts the registers of
// all running functions, and each call as 25 at least.
//
// # What it cannot do
//
// Memory is charged in total and not as it is held, in nominal bytes; a number
// that keeps a page of others alive can hold several times its price. Beyond
// that stands only the ceiling on the heap of the process. An interpreter that
// runs inside the host shares its fate: for tenants that are hostile to one
// another, run it in a worker process.
//
// An Engine and its modules are safe for concurrent use and start no goroutine.
package lua
