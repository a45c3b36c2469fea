package main

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/rhost/rhost/sdk/guest/guesttest"
)

func TestLock(t *testing.T) {
	h := guesttest.New()
	h.Config = `{"protect": ["root"]}`
	in := func(user string) guesttest.Input {
		return guesttest.Input{Type: "ssh.burst", Data: `{"user": "` + user + `"}`, With: `{"reason": "five failures"}`}
	}

	r := h.Run(lock, in("bob"))
	assert.Equal(t, "ok", r.Result, r.Message)
	assert.Equal(t, "bob", r.Output.Get("locked").String())
	assert.Equal(t, "test", h.State("locked/bob").Get("by").String())
	if events := r.Emitted("account.locked"); assert.Len(t, events, 1) {
		assert.JSONEq(t, `{"user": "bob", "reason": "five failures"}`, string(events[0].Raw()))
	}

	again := h.Run(lock, in("bob"))
	assert.Equal(t, "drop", again.Result)
	assert.Empty(t, again.Effects)

	root := h.Run(lock, in("root"))
	assert.Equal(t, "drop", root.Result)
	assert.Equal(t, []guesttest.Line{{Level: 2, Text: "not locked, because the settings protect it: root"}}, root.Logs)
}

func TestLockNeedsAUser(t *testing.T) {
	r := guesttest.New().Run(nil, guesttest.Input{Type: "ssh.burst", Data: `{}`})
	assert.Equal(t, "fail", r.Result)
	assert.Equal(t, "the event names no user", r.Message)
}

func TestLockWithoutItsCapability(t *testing.T) {
	h := guesttest.New()
	h.Deny = []string{"state_set"}
	r := h.Run(lock, guesttest.Input{Type: "ssh.burst", Data: `{"user": "bob"}`})
	assert.Equal(t, "retry", r.Result)
	assert.Equal(t, "state_set: the capability was not granted", r.Message)
}
