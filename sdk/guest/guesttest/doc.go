// Package guesttest runs the handler of a plugin without a host, so that a
// plugin is tested with `go test` on any machine:
//
//	func TestLock(t *testing.T) {
//		h := guesttest.New()
//		r := h.Run(lock, guesttest.Input{Type: "ssh.failed", Data: `{"user":"root"}`})
//		if r.Result != "ok" || len(r.Emitted("account.locked")) != 1 {
//			t.Errorf("got %+v", r)
//		}
//	}
//
// A Host answers the services from memory and keeps state from one run to the
// next, as the real one does: effects count only when the handler returned nil.
// Requests and answers pass through the same bytes as in a built plugin.
//
// Limits of fuel and memory are not here: `rhost plugin bench` shows them.
package guesttest
