// Command lockaccount is a plugin that locks the account that an event names,
// unless it is locked already or the operator protects it.
//
// Settings: {"protect": ["root"]}. Arguments of the step: {"reason": "…"}.
package main

import "github.com/rhost/rhost/sdk/guest"

func init() { guest.Handle(lock) } //nolint:gochecknoinits // main does not run in a plugin

func main() {}

func lock(c *guest.Call) error {
	user := c.Event.String("user")
	if user == "" {
		return guest.Fail("the event names no user")
	}
	settings, err := c.Config("")
	if err != nil {
		return err
	}
	for _, name := range settings.Get("protect").Items() {
		if name.String() == user {
			c.Log(guest.Warn, "not locked, because the settings protect it: "+user)
			return guest.Drop(user + " is protected")
		}
	}
	key := "locked/" + user
	if _, err := c.State.Get(key); err == nil {
		return guest.Drop(user + " is locked already")
	}
	if err := c.State.Set(key, guest.Map{"by": c.Match.Rule(), "at": c.Match.At()}); err != nil {
		return err
	}
	if err := c.Emit("account.locked", guest.Map{"user": user, "reason": c.With.Get("reason")}); err != nil {
		return err
	}
	return c.Output(guest.Map{"locked": user})
}
