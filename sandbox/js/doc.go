// Package js runs guests written in JavaScript, on goja.
//
// A script exports a function and nothing else is asked of it:
//
//	export function invoke(call) {
//	  if (call.event.data.user === "root") {
//	    rhost.emit("login.refused", {user: call.event.data.user})
//	  }
//	  return {seen: call.event.id}
//	}
//
// export const invoke = …, export { run as invoke } and a plain function invoke
// do as well, and invoke may be async. A script is one file: imports are
// refused. It is compiled once, as strict code. Every call gets a runtime of its
// own, runs the file from its first line and then invoke, so no call sees
// anything of another.
//
// # What a script sees
//
// call holds match, event, with, config, attempt and key; event.data is the
// decoded payload. The services are functions of rhost. When the host refuses,
// they throw a RhostError whose status names why ("denied", "limit",
// "invalid"):
//
//	rhost.emit(type [, data])           rhost.notify(topic [, data])
//	rhost.state.get(key)                {value, version}, or null
//	rhost.state.set(key, value)         rhost.state.delete(key)
//	rhost.state.cas(key, version, value)  true, or false when the version is
//	                                    another; version 0: the key must be absent
//	rhost.kv.get(key)                   the bytes under a key, or null
//	rhost.kv.set(key, value [, ms])     kept for so many milliseconds, or for ever
//	rhost.kv.delete(key)
//	rhost.http({url, method, headers, body, timeout})  {status, headers, body}
//	rhost.secret(name)                  the secret's bytes, or null
//	rhost.has(name)                     whether a service, by its name in the ABI
//	                                    ("http", "kv_get"), is there and granted
//	rhost.now()                         milliseconds since 1970
//	rhost.random(n)                     an array of n bytes
//	rhost.log([level,] msg)             also debug, info, warn and error, and console
//	rhost.config                        the operator's settings
//
// Bytes are a string where they are UTF-8, else an array of numbers; both can be
// passed in. A body that is neither string nor absent is sent as JSON.
//
// Returning ends the call well; what invoke returns becomes the output, as
// JSON.stringify would write it. rhost.fail(msg), rhost.retry(msg) and
// rhost.drop() end the call at once; neither catch nor finally keeps it running.
// A result without a JSON form (a function, an object that contains itself, NaN,
// a Map) fails the call.
//
// Missing from the language are eval, Function and every other way to make code
// of text; Proxy and Reflect; BigInt; ArrayBuffer, typed arrays and DataView;
// with, String.raw and RegExp.prototype.compile. The functions of arrays that
// change one work on arrays alone. The clock of Date stands still during a call
// and is in UTC, and Math.random is the guest's own generator.
//
// # How it is held
//
// goja counts no steps, so the tree of a script is changed before it is compiled
// (rewrite.go): every function, loop body and field value first pays for what it
// holds, in fuel for its nodes and bytes for the objects it makes, by calling a
// function that no script can name. Sums and templates pay for the texts they
// make; a sum that can only be a number (facts.go) does not. The functions of
// the language that can do much in one step are replaced by ones that charge for
// their arguments first (natives.go). A charge that cannot be paid panics in a
// way that runs through every catch and finally.
//
// Regular expressions run in time proportional to their text where they can.
// Those that look around or refer back, and some that go on in the middle of a
// text, run on a matcher that tries every way there is; one that runs for longer
// than a tenth of a second ends the call with a deadline fault.
//
// Recursion ends as a stack fault: a call takes a hundred slots of Limits.Stack,
// and there are at most 2,000 of them. Strings are at most script.MaxText
// characters, whatever the limits say, and Limits.Memory counts up to 256 MiB.
//
// # What it cannot do
//
// Memory is charged in total and not as it is held, in nominal bytes; beyond
// that stands only the ceiling on the heap of the process. Things that are
// cheap to ask for and dear to hold, such as generators that are never run, can
// hold several times their price. One operation of the language cannot be
// interrupted: the worst of those found take some tenths of a second (unwinding
// a thousand nested getters, one regular expression, a chain of prototypes that
// is made one longer). An interpreter that runs inside the host shares its fate:
// for tenants that are hostile to one another, run it in a worker process.
//
// An Engine and its modules are safe for concurrent use. The only goroutine is
// the clock of the regular expressions, which Engine.Close stops.
package js
