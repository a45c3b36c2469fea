// Package guest is the SDK for plugins written in Go. A plugin is a program
// that hands its handler over and leaves the rest to the host:
//
//	package main
//
//	import "github.com/rhost/rhost/sdk/guest"
//
//	func init() { guest.Handle(lock) }
//
//	func main() {}
//
//	func lock(c *guest.Call) error {
//		user := c.Event.String("user")
//		if user == "" {
//			return guest.Fail("the event names no user")
//		}
//		return c.Emit("account.locked", guest.Map{"user": user})
//	}
//
// It is built into a module that the host loads:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags='-s -w' -trimpath -o lock.wasm .
//
// The types, in the order a handler meets them:
//
//   - Call is one invocation: the Match that caused it, the Event that completed
//     the match, the arguments of the step (With), and the services: Emit,
//     Notify, State, KV, HTTP, Secret, Has, Config, Now, Random, Log.
//   - Value is a piece of JSON that is read only when asked, by path:
//     c.Event.Get("items[0].id").Int(). Nothing is decoded that nobody looks at.
//   - Map, Raw and plain Go values are what Emit, Notify, State.Set and Output
//     take. encoding/json works too; it costs the guest a megabyte.
//   - Fail, Retry and Drop are the errors that decide how the step ends. Nil is
//     ok. Any other error is a retry.
//
// Effects (Emit, Notify and writes to State and KV) happen together when the handler
// returns nil, and not at all when it returns an error or panics.
//
// A handler runs on one goroutine in an instance that no call has used before:
// package variables keep what init put there, never what another call did. Work
// that every call needs (compiled tables, parsed settings) belongs in init.
//
// The clock of package time starts at the time of the match and moves only when
// it is read; Sleep returns at once. c.Now is the host's clock. The same call
// with the same answers runs the same instructions, every time.
//
// A plugin asks for a capability by calling the service: the Go linker leaves
// out what is not reached, and the host reads the import list.
//
// A plugin that imports package guest/batch for its side effect takes many calls in
// one go, which then share an instance.
//
// Handlers are plain functions, so they run in ordinary tests on any platform:
// see package guesttest.
package guest
