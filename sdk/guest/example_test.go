package guest_test

import (
	"fmt"

	"github.com/rhost/rhost/sdk/guest"
	"github.com/rhost/rhost/sdk/guest/guesttest"
)

func ExampleHandle() {
	lock := func(c *guest.Call) error {
		user := c.Event.String("user")
		if user == "" {
			return guest.Fail("the event names no user")
		}
		return c.Emit("account.locked", guest.Map{"user": user})
	}
	guest.Handle(lock) // a plugin does this in init

	r := guesttest.New().Run(nil, guesttest.Input{Type: "ssh.failed", Data: `{"user": "bob"}`})
	fmt.Println(r.Result, r.Effects[0].Kind, r.Effects[0].Name, r.Effects[0].Value)
	// Output: ok emit account.locked {"user":"bob"}
}

func ExampleState_Update() {
	h := guesttest.New()
	count := func(c *guest.Call) error {
		return c.State.Update("calls", func(old guest.Value) (any, error) { return old.Int() + 1, nil })
	}
	h.Run(count, guesttest.Input{})
	h.Run(count, guesttest.Input{})
	fmt.Println(h.State("calls"))
	// Output: 2
}
