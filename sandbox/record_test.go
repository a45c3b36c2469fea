package sandbox_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
)

// script is a guest that asks for everything there is.
func script(t *testing.T, s *sandbox.Session) []any {
	t.Helper()
	var said []any
	say := func(v ...any) { said = append(said, v...) }
	v, version, st := s.StateGet("there")
	say(string(v), version, st)
	_, _, st = s.StateGet("absent")
	say(st, s.StateCAS("there", version, []byte("2")), s.StateCAS("there", 3, []byte("3")), s.StateCAS("absent", 0, []byte("1")))
	say(s.StateSet("blind", []byte("1")))
	kv, st := s.KVGet("there")
	say(string(kv), st, s.KVSet("k", 5, []byte{1}), s.Emit("e", []byte("1")), s.Notify("n", []byte("2")), s.Emit("", nil))
	set, st := s.Config(json.RawMessage(`{"a":1}`), "a")
	say(string(set), st)
	now, st := s.Now()
	say(now.UnixNano(), st)
	p := make([]byte, 4)
	say(s.Random(p), string(p))
	res, st := s.HTTP(t.Context(), &abi.HTTPRequest{Method: "GET", URL: "u", Header: []abi.HTTPHeader{{Name: "x", Value: "y"}}})
	say(res.Status, res.Header, string(res.Body), st)
	secret, st := s.Secret("token")
	say(string(secret), st, s.Has(v1.FuncHTTP), s.Has("teleport"))
	s.Log(sandbox.LogWarn, "hello")
	return said
}

func recorded(t *testing.T) (said []any, effects []abi.Effect, calls []sandbox.HostCall) {
	t.Helper()
	sv := reaching()
	sv.State = func(key string) (json.RawMessage, uint64, bool) { return json.RawMessage(`1`), 7, key == "there" }
	sv.Now = func() time.Time { return time.Unix(5, 6).UTC() }
	s := sandbox.NewSession(sv, abi.Capabilities(), sandbox.Limits{})
	r := sandbox.NewRecorder(1 << 20)
	s.Record(r)
	said = script(t, s)
	calls, ok := r.Calls()
	require.True(t, ok)
	return said, s.Effects(), calls
}

// TestReplay runs a call again from its record alone.
func TestReplay(t *testing.T) {
	said, effects, calls := recorded(t)
	text, err := json.Marshal(calls)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "czNjcmV0", "the secret, in base64")
	var back []sandbox.HostCall
	require.NoError(t, json.Unmarshal(text, &back))

	s := sandbox.NewSession(sandbox.Services{Secret: reaching().Secret}, abi.Capabilities(), sandbox.Limits{})
	p := sandbox.NewReplayer(back)
	s.Replay(p)
	assert.Equal(t, said, script(t, s))
	require.NoError(t, p.Err())
	assert.Equal(t, effects, s.Effects())
}

func TestReplayTellsTheFirstDifference(t *testing.T) {
	_, _, calls := recorded(t)
	for _, tt := range []struct {
		name string
		do   func(s *sandbox.Session)
		want string
	}{
		{"another function", func(s *sandbox.Session) { s.Emit("e", nil) }, "replay: host call 1 is emit; the record has state_get"},
		{"another request", func(s *sandbox.Session) { s.StateGet("else") }, "replay: host call 1, state_get, has another request than the record"},
		{"an early end", func(s *sandbox.Session) { s.StateGet("there") }, "replay: the call ended after 1 host calls; the record goes on with state_get"},
		{"a later end", func(s *sandbox.Session) { script(t, s); s.KVGet("k") }, "replay: the call goes on with kv_get; its record ends after 19 host calls"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := sandbox.NewSession(sandbox.Services{Secret: reaching().Secret}, abi.Capabilities(), sandbox.Limits{})
			p := sandbox.NewReplayer(calls)
			s.Replay(p)
			tt.do(s)
			assert.EqualError(t, p.Err(), tt.want)
		})
	}
	for _, tt := range []struct {
		name  string
		sv    sandbox.Services
		grant abi.Grant
		want  string
	}{
		{"another grant", reaching(), abi.Grant{abi.CapKV}, "replay: host call 3, state_cas, was answered ok and is now denied: the grant or the limits are others"},
		{"no secret", sandbox.Services{}, abi.Capabilities(), "replay: host call 16, secret: the record withholds an answer of 6 bytes, and the host now answers unsupported with 0; give it the same secret"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := sandbox.NewSession(tt.sv, tt.grant, sandbox.Limits{})
			p := sandbox.NewReplayer(calls)
			s.Replay(p)
			script(t, s)
			require.EqualError(t, p.Err(), tt.want)
			assert.EqualError(t, s.Err(), tt.want)
		})
	}
}

func TestRecorderIsBounded(t *testing.T) {
	s := sandbox.NewSession(reaching(), abi.Capabilities(), sandbox.Limits{})
	r := sandbox.NewRecorder(300)
	s.Record(r)
	s.KVGet("there")
	s.KVGet("there")
	calls, ok := r.Calls()
	assert.True(t, ok)
	assert.Len(t, calls, 2)
	s.KVGet("there")
	s.KVGet("there")
	calls, ok = r.Calls()
	assert.False(t, ok)
	assert.Empty(t, calls, "half a record helps nobody")
}
