package sandboxtest

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/sandbox"
)

// replay checks that a call runs again from its record alone: the same bytes, the
// same effects, the same fuel. A record of another call ends it at the first
// difference.
func (s *suite) replay(t *testing.T) {
	records := make(map[Behaviour][]sandbox.HostCall)
	for _, b := range []Behaviour{Echo, Describe, EmitTwo, StateCounter, LogLines, NowRandom, Fail} {
		h := s.host()
		h.state = map[string]json.RawMessage{"count": json.RawMessage("41")}
		r := sandbox.NewRecorder(1 << 20)
		was := s.taped(t, b, h.session(), func(session *sandbox.Session) { session.Record(r) })
		calls, ok := r.Calls()
		require.True(t, ok)
		records[b] = calls

		p := sandbox.NewReplayer(calls)
		empty := sandbox.NewSession(sandbox.Services{}, h.grant, h.limits)
		is := s.taped(t, b, empty, func(session *sandbox.Session) { session.Replay(p) })
		require.NoError(t, p.Err(), b)
		assert.Equal(t, was.err, is.err, b)
		assert.Equal(t, was.reply, is.reply, b)
		assert.Equal(t, was.usage.Fuel, is.usage.Fuel, b)
	}
	p := sandbox.NewReplayer(records[NowRandom])
	o := s.taped(t, EmitTwo, s.host().session(), func(session *sandbox.Session) { session.Replay(p) })
	assert.Equal(t, sandbox.FaultReplay, sandbox.KindOf(o.err), "%v", o.err)
	assert.ErrorContains(t, o.err, "replay: host call 1 is emit; the record has ")
	assert.Empty(t, o.reply.Effects)
}

// taped runs one call whose session was prepared by tape.
func (s *suite) taped(t *testing.T, b Behaviour, session *sandbox.Session, tape func(*sandbox.Session)) (o outcome) {
	t.Helper()
	inst, err := s.module(t, b).New(t.Context(), session.Limits())
	require.NoError(t, err)
	tape(session)
	o.reply, o.usage, o.err = inst.Invoke(t.Context(), call(), session)
	require.NoError(t, inst.Close(t.Context()))
	return o
}
