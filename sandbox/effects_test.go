package sandbox

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
)

// emitter asks for n effects and then fails, unless it should not.
type emitter struct {
	fakeModule
	n    int
	fail bool
}

type fakeModule struct{}

func (fakeModule) Info() Info                  { return Info{Name: "emitter", Digest: "d"} }
func (fakeModule) Close(context.Context) error { return nil }

func (e *emitter) New(context.Context, Limits) (Instance, error) { return e, nil }
func (e *emitter) Reusable() bool                                { return true }

func (e *emitter) Invoke(_ context.Context, _ *abi.Call, s *Session) (abi.Reply, Usage, error) {
	for i := range e.n {
		if st := s.Emit("x", strconv.AppendInt(nil, int64(i), 10)); st != abi.StatusOK {
			return abi.Reply{}, Usage{}, errors.New("no room")
		}
	}
	if e.fail {
		return abi.Reply{}, Usage{}, &Fault{Kind: FaultTrap}
	}
	return abi.Reply{Effects: s.Effects()}, Usage{}, nil
}

// TestEffectsOfFaultsAreReused checks that what a call asked for that came to nothing
// is not found in another's, and that effects that were handed out stay as they are.
func TestEffectsOfFaultsAreReused(t *testing.T) {
	e := &emitter{}
	slot := NewSlot()
	require.NoError(t, slot.Swap(t.Context(), e, 1))
	call := func(n int, fail bool) []abi.Effect {
		e.n, e.fail = n, fail
		reply, _, err := slot.Call(t.Context(), &abi.Call{}, NewSession(Services{}, abi.Capabilities(), Limits{}))
		assert.Equal(t, fail, err != nil)
		return reply.Effects
	}
	var kept [][]abi.Effect
	for n := range 25 {
		call(37*n, n%2 == 0)
		kept = append(kept, call(25*n, false))
	}
	for n, effects := range kept {
		require.Len(t, effects, 25*n)
		for i, x := range effects {
			assert.Equal(t, abi.Effect{Kind: abi.EffectEmit, Name: "x", Value: strconv.AppendInt(nil, int64(i), 10)}, x)
		}
	}
	require.NoError(t, slot.Close(t.Context()))
}
