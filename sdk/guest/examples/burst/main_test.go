package main

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/rhost/rhost/sdk/guest/guesttest"
)

func TestCount(t *testing.T) {
	h := guesttest.New()
	in := guesttest.Input{
		Type: "login.failed", ID: "e7", Data: `{"addr": "192.0.2.1"}`,
		With: `{"threshold": 3, "topic": "ops"}`,
	}
	for n := 1; n <= 4; n++ {
		r := h.Run(count, in)
		assert.Equal(t, "ok", r.Result, r.Message)
		assert.EqualValues(t, n, h.State("seen/192.0.2.1").Int())
		if messages := r.Notified("ops"); n == 3 && assert.Len(t, messages, 1) {
			assert.JSONEq(t, `{"addr": "192.0.2.1", "last": "e7", "seen": 3}`, string(messages[0].Raw()))
		} else {
			assert.Empty(t, messages)
		}
	}
	assert.Equal(t, "drop", h.Run(count, guesttest.Input{Type: "login.failed", Data: `{}`}).Result)
}
