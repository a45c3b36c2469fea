// Command decide blocks an address, unless the operator trusts it, and takes a
// block back.
//
// Settings: {"trusted": ["10.0.0.1"]}. Arguments: {"ip", "user", "attempts"} to
// block, {"ip", "unblock": true} to take it back. Output: what was decided.
package main

import "github.com/rhost/rhost/sdk/guest"

func init() { guest.Handle(decide) } //nolint:gochecknoinits // main does not run in a plugin

func main() {}

func decide(c *guest.Call) error {
	ip := c.With.Get("ip").String()
	if ip == "" {
		return guest.Fail("the arguments name no address; pass with: {ip: …}")
	}
	if c.With.Get("unblock").Bool() {
		return unblock(c, ip)
	}
	settings, err := c.Config("")
	if err != nil {
		return err
	}
	for _, trusted := range settings.Get("trusted").Items() {
		if trusted.String() == ip {
			return c.Output(guest.Map{"action": "leave", "ip": ip, "reason": "the settings trust it"})
		}
	}
	return block(c, ip)
}

// block remembers how often an address was blocked, and asks for it to be.
func block(c *guest.Call, ip string) error {
	var times int64
	err := c.State.Update("blocked/"+ip, func(old guest.Value) (any, error) {
		times = old.Get("times").Int() + 1
		return guest.Map{"times": times, "since": c.Match.At()}, nil
	})
	if err != nil {
		return err
	}
	decision := guest.Map{
		"action": "block", "ip": ip, "times": times,
		"user": c.With.Get("user"), "attempts": c.With.Get("attempts"),
	}
	if err := c.Emit("firewall.block", decision); err != nil {
		return err
	}
	return c.Output(decision)
}

func unblock(c *guest.Call, ip string) error {
	if err := c.State.Delete("blocked/" + ip); err != nil {
		return err
	}
	return c.Emit("firewall.unblock", guest.Map{"ip": ip})
}
