package wasm_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// unloading is a slot with the Go guest, which can be loaded again.
func unloading(tb testing.TB) *sandbox.Slot {
	tb.Helper()
	src := wasmtest.BuildGo(tb, "testdata/conformance")
	e := newEngine(tb)
	load := func(ctx context.Context) (sandbox.Module, error) {
		return e.Compile(ctx, sandbox.Source{Name: "conformance", Bytes: src})
	}
	m, err := load(tb.Context())
	require.NoError(tb, err)
	s := sandbox.NewSlot()
	require.NoError(tb, s.Roll(tb.Context(), m, sandbox.Plan{Spares: 2, Instances: 2, Wake: load}))
	tb.Cleanup(func() { require.NoError(tb, s.Close(context.WithoutCancel(tb.Context()))) })
	return s
}

func called(tb testing.TB, s *sandbox.Slot) sandbox.Usage {
	tb.Helper()
	reply, usage, err := s.Call(tb.Context(), callWith(`{"do":"settings"}`), newWorld().session())
	require.NoError(tb, err)
	require.Equal(tb, abi.ResultOK, reply.Result)
	return usage
}

func cooled(tb testing.TB, s *sandbox.Slot) {
	tb.Helper()
	done, err := s.Cool(tb.Context(), -time.Minute)
	require.NoError(tb, err)
	require.True(tb, done)
}

// TestColdVersionsHoldNothing: what a version holds that is not called is given back to
// the system, and its calls use the same fuel afterwards.
func TestColdVersionsHoldNothing(t *testing.T) {
	s := unloading(t)
	want := called(t, s)
	cooled(t, s)
	before := holdings(t)
	for range 3 {
		got := called(t, s)
		assert.Equal(t, want.Fuel, got.Fuel)
		warm := holdings(t)
		assert.Greater(t, warm.resident, before.resident+8<<20, "code and image")
		assert.Equal(t, before.files+1, warm.files, "the image")
		cooled(t, s)
		holdings(t) // collects twice: what is unmapped by a finalizer is gone after the second
		after := holdings(t)
		assert.Less(t, after.resident, warm.resident-8<<20, "code and image are gone")
		assert.Equal(t, before.files, after.files, "open files")
		assert.LessOrEqual(t, after.heap, before.heap+1<<20, "bytes of heap")
		assert.LessOrEqual(t, after.mappings, before.mappings+4, "mappings")
	}
}

// BenchmarkColdCall is a call of a version that was unloaded, of a Go guest: reading it
// again, its start-up, and the call.
func BenchmarkColdCall(b *testing.B) {
	s := unloading(b)
	called(b, s)
	for b.Loop() {
		b.StopTimer()
		cooled(b, s)
		b.StartTimer()
		called(b, s)
	}
}
