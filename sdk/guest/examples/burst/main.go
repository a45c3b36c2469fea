// Command burst is a plugin that counts events by address and tells a topic when
// an address reaches a threshold. The count survives in the tenant's state, and
// no event is lost when two calls count the same address at once.
//
// Arguments of the step: {"threshold": 10, "topic": "ops"}.
package main

import "github.com/rhost/rhost/sdk/guest"

func init() { guest.Handle(count) } //nolint:gochecknoinits // main does not run in a plugin

func main() {}

func count(c *guest.Call) error {
	addr := c.Event.String("addr")
	if addr == "" {
		return guest.Drop("the event has no address")
	}
	var n int64
	err := c.State.Update("seen/"+addr, func(old guest.Value) (any, error) {
		n = old.Int() + 1
		return n, nil
	})
	if err != nil {
		return err
	}
	if n == c.With.Get("threshold").Int() {
		return c.Notify(c.With.Get("topic").String(), guest.Map{"addr": addr, "seen": n, "last": c.Event.ID})
	}
	return nil
}
