package wasm_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/sandbox"
)

// TestReplayOfAGoProgram runs calls again whose path depends on time and chance,
// both from the host by way of WASI, in a host where both are others.
func TestReplayOfAGoProgram(t *testing.T) {
	m := goGuest(t)
	for _, do := range []string{"work", "clocks", "state", "settings", "print"} {
		t.Run(do, func(t *testing.T) {
			run := func(w *world, tape func(*sandbox.Session)) (string, int64) {
				s := w.session()
				tape(s)
				reply, usage, err := instance(t, m, w.limits).Invoke(t.Context(), callWith(`{"do":"`+do+`"}`), s)
				require.NoError(t, err)
				return string(reply.Output), usage.Fuel
			}
			w := newWorld()
			w.limits.Fuel = 1 << 40
			r := sandbox.NewRecorder(1 << 20)
			output, fuel := run(w, func(s *sandbox.Session) { s.Record(r) })
			calls, ok := r.Calls()
			require.True(t, ok)

			other := newWorld()
			other.limits.Fuel = 1 << 40
			other.more = func(sv *sandbox.Services) {
				sv.Now = func() time.Time { return time.Unix(1, 0) }
				sv.Random = func(p []byte) { clear(p) }
				sv.State = nil
			}
			p := sandbox.NewReplayer(calls)
			again, used := run(other, func(s *sandbox.Session) { s.Replay(p) })
			require.NoError(t, p.Err())
			assert.Equal(t, output, again)
			assert.Equal(t, fuel, used)
			if do == "clocks" {
				different, _ := run(other, func(*sandbox.Session) {})
				assert.NotEqual(t, output, different, "that host has another time")
			}
		})
	}
}
