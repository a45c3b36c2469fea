package main

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/rhost/rhost/sdk/guest/guesttest"
)

func TestDecideBlocksAndCounts(t *testing.T) {
	h := guesttest.New()
	in := guesttest.Input{Type: "ssh.auth", With: `{"ip": "192.0.2.7", "user": "root", "attempts": 5}`}
	for times := range int64(2) {
		r := h.Run(decide, in)
		assert.Equal(t, "ok", r.Result, r.Message)
		assert.Equal(t, "block", r.Output.Get("action").String())
		assert.Equal(t, times+1, r.Output.Get("times").Int())
		assert.Len(t, r.Emitted("firewall.block"), 1)
	}
	undo := h.Run(decide, guesttest.Input{With: `{"ip": "192.0.2.7", "unblock": true}`})
	assert.Len(t, undo.Emitted("firewall.unblock"), 1)
	assert.False(t, h.State("blocked/192.0.2.7").Exists())
}

func TestDecideLeavesTrustedAddressesAlone(t *testing.T) {
	h := guesttest.New()
	h.Config = `{"trusted": ["192.0.2.7"]}`
	r := h.Run(decide, guesttest.Input{With: `{"ip": "192.0.2.7"}`})
	assert.Equal(t, "leave", r.Output.Get("action").String())
	assert.Empty(t, r.Effects)
}

func TestDecideNeedsAnAddress(t *testing.T) {
	r := guesttest.New().Run(decide, guesttest.Input{})
	assert.Equal(t, "fail", r.Result)
}
