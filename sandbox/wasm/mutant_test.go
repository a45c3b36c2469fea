package wasm_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm"
)

// tryGuest loads bytes and runs a call. Whatever they are, the outcome is a
// refusal, a fault or a reply.
func tryGuest(t *testing.T, e *wasm.Engine, src []byte) (loaded, ran bool) {
	t.Helper()
	m, err := e.Compile(t.Context(), sandbox.Source{Name: "p", Bytes: src})
	if err != nil {
		var refusal *sandbox.Refusal
		require.True(t, errors.As(err, &refusal), "%v\n%x", err, src)
		return false, false
	}
	defer func() { require.NoError(t, m.Close(context.WithoutCancel(t.Context()))) }()
	w := newWorld()
	w.limits = sandbox.Limits{Fuel: 200_000, Memory: 4 << 20, Deadline: 10 * time.Second}
	_, _, err = once(t, m, w, callWith(`{"a":1}`))
	require.True(t, err == nil || sandbox.KindOf(err) != "", "%v\n%x", err, src)
	return true, err == nil
}

// TestMutants changes bytes of guests that work.
func TestMutants(t *testing.T) {
	e := newColdEngine(t)
	t.Cleanup(func() { require.NoError(t, e.Close(context.WithoutCancel(t.Context()))) })
	guests := [][]byte{echo(), stateCounter(), nowRandom(), leakCheck(), effectsBomb(), stdoutBomb(), extismEcho(), extismCounter(), catCommand()}
	rng := rand.New(rand.NewPCG(1, 2))
	loaded, ran := 0, 0
	const mutants = 900
	for n := range mutants {
		src := slices.Clone(guests[n%len(guests)])
		for range 1 + rng.IntN(2) {
			src[8+rng.IntN(len(src)-8)] = byte(rng.Uint32())
		}
		l, r := tryGuest(t, e, src)
		if l {
			loaded++
		}
		if r {
			ran++
		}
	}
	t.Logf("of %d mutants %d were admitted and %d ran to their end", mutants, loaded, ran)
	require.Positive(t, loaded, "the test tests nothing")
}

func FuzzGuest(f *testing.F) {
	for _, src := range [][]byte{echo(), stateCounter(), nowRandom(), leakCheck(), infiniteLoop(), memoryBomb(), stackBomb(), extismEcho(), extismCounter(), catCommand()} {
		f.Add(src)
	}
	e, err := wasm.New(wasm.Options{})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, e.Close(context.Background())) })
	f.Fuzz(func(t *testing.T, src []byte) { tryGuest(t, e, src) })
}
