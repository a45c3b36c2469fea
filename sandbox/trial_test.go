package sandbox_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
)

// trial is a session that is answered from the record of script.
func trial(t *testing.T) (*sandbox.Session, *sandbox.Trial) {
	t.Helper()
	_, _, calls := recorded(t)
	return trialOf(calls)
}

func trialOf(calls []sandbox.HostCall) (*sandbox.Session, *sandbox.Trial) {
	tr := sandbox.NewTrial(calls)
	s := sandbox.NewSession(tr.Services(reaching()), abi.Capabilities(), sandbox.Limits{})
	s.Try(tr)
	return s, tr
}

// TestTrialOfTheSame gives the guest that was recorded what it was given then.
func TestTrialOfTheSame(t *testing.T) {
	said, effects, calls := recorded(t)
	s, tr := trialOf(calls)
	assert.Equal(t, said, script(t, s))
	require.NoError(t, tr.Err())
	assert.Equal(t, effects, s.Effects())
}

// TestTrialOfAnother lets a version ask in another order, for less, and see what it
// writes itself.
func TestTrialOfAnother(t *testing.T) {
	s, tr := trial(t)
	now, st := s.Now()
	assert.Equal(t, abi.StatusOK, st)
	assert.Equal(t, time.Unix(5, 6).UTC(), now)
	again, _ := s.Now()
	assert.Equal(t, now, again, "time stands where the record ends")
	assert.Equal(t, abi.StatusOK, s.StateSet("there", []byte("9")))
	value, version, st := s.StateGet("there")
	assert.Equal(t, abi.StatusOK, st)
	assert.Equal(t, "9", string(value), "its own")
	assert.Equal(t, uint64(8), version, "one more than on record")
	assert.Equal(t, abi.StatusConflict, s.StateCAS("there", 7, []byte("1")))
	assert.Equal(t, abi.StatusOK, s.StateCAS("there", 8, []byte("1")))
	_, _, st = s.StateGet("absent")
	assert.Equal(t, abi.StatusNotFound, st)
	s.Log(sandbox.LogInfo, "said by nobody before")
	require.NoError(t, tr.Err())
	require.NoError(t, s.Err())
}

// TestTrialOfMore ends at the first thing that the record does not hold.
func TestTrialOfMore(t *testing.T) {
	for name, tt := range map[string]struct {
		ask  func(s *sandbox.Session)
		want string
	}{
		"state":  {func(s *sandbox.Session) { s.StateGet("new") }, `state_get of "new"`},
		"cas":    {func(s *sandbox.Session) { s.StateCAS("new", 1, []byte("1")) }, `state_get of "new"`},
		"kv":     {func(s *sandbox.Session) { s.KVGet("new") }, `kv_get of "new"`},
		"random": {func(s *sandbox.Session) { s.Random(make([]byte, 5)) }, "5 random bytes more"},
		"more random": {func(s *sandbox.Session) {
			s.Random(make([]byte, 4))
			s.Random(make([]byte, 4))
		}, "4 random bytes more"},
		"http": {func(s *sandbox.Session) {
			s.HTTP(t.Context(), &abi.HTTPRequest{Method: "GET", URL: "elsewhere"})
		}, "http GET elsewhere as it makes it"},
	} {
		t.Run(name, func(t *testing.T) {
			s, tr := trial(t)
			tt.ask(s)
			require.ErrorContains(t, tr.Err(), "replay: the call asks for "+tt.want+", which is not on record")
			assert.Equal(t, tr.Err(), s.Err())
			s.Emit("later", nil)
		})
	}
}

// TestRecorderKeepsTheSetting of the call that a slot ran last.
func TestRecorderKeepsTheSetting(t *testing.T) {
	s := sandbox.NewSession(sandbox.Services{}, abi.Grant{abi.CapNow}, sandbox.Limits{Fuel: 5})
	r := sandbox.NewRecorder(1000)
	s.Record(r)
	assert.Equal(t, sandbox.Setting{Grant: abi.Grant{abi.CapNow}, Limits: sandbox.Limits{Fuel: 5}.WithDefaults()}, r.Setting())

	slot := sandbox.NewSlot()
	require.NoError(t, slot.Swap(t.Context(), &fake{name: "v1"}, 0))
	_, _, err := slot.Call(t.Context(), &abi.Call{Config: json.RawMessage(`{"a":  1}`), Export: "main"}, s)
	require.NoError(t, err)
	assert.Equal(t, `{"a":  1}`, string(r.Setting().Config))
	assert.Equal(t, "main", r.Setting().Export)
	require.NoError(t, slot.Close(t.Context()))
}
