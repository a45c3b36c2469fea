package wasm_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/sandbox"
	. "github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// TestBatchIsSingles gives calls of all sorts to a slot at once and one by one: each
// ends the same way, whatever its neighbours do.
func TestBatchIsSingles(t *testing.T) {
	slot := batchingSlot(t)
	batched := 0
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		w.limits.Fuel = 200_000
		calls := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			most := 3
			if rapid.IntRange(0, 99).Draw(t, "bad") == 0 {
				most = 5
			}
			return strings.Repeat("#", rapid.IntRange(0, 20).Draw(t, "count")) +
				[]string{"", "$", "?", "x", "!", "%"}[rapid.IntRange(0, most).Draw(t, "kind")]
		}), 2, 80).Draw(t, "calls")
		for i, got := range slot.CallBatch(t.Context(), saying(calls, w)) {
			reply, _, err := slot.Call(t.Context(), callWith(`{"do":"`+calls[i]+`"}`), w.session())
			require.Equal(t, sandbox.KindOf(err), sandbox.KindOf(got.Err), calls[i])
			require.Equal(t, err == nil, got.Err == nil)
			require.Equal(t, reply, got.Reply, calls[i])
		}
		for i, got := range slot.Batch(t.Context(), saying(calls, w)) {
			if got == nil {
				continue
			}
			batched++
			reply, _, err := slot.Call(t.Context(), callWith(`{"do":"`+calls[i]+`"}`), w.session())
			require.NoError(t, err)
			require.Equal(t, reply, got.Reply, calls[i])
		}
	})
	assert.Greater(t, batched, 100, "calls that went together")
}

// saying are calls whose frames hold texts.
func saying(texts []string, w *world) []sandbox.BatchItem {
	list := make([]sandbox.BatchItem, len(texts))
	for i, text := range texts {
		list[i] = sandbox.BatchItem{Call: callWith(`{"do":"` + text + `"}`), Session: w.session()}
	}
	return list
}

// TestBatchesShrink shows that modules whose batches fault are soon given calls one by
// one, and batches again when they behave.
func TestBatchesShrink(t *testing.T) {
	slot := batchingSlot(t)
	together := func(text string, n int) (batched int) {
		for _, r := range slot.Batch(t.Context(), saying(slices.Repeat([]string{text}, n), newWorld())) {
			if r != nil {
				batched++
			}
		}
		return batched
	}
	assert.Equal(t, 32, together("#", 32))
	for range 3 {
		assert.Zero(t, together("!", 32))
	}
	assert.Zero(t, together("#", 32), "given up")
	assert.Equal(t, 32, together("#", 32), "tried again after 64 calls, two at first")
	assert.Zero(t, together("!", 64))
	assert.Equal(t, 64, together("#", 64), "in quarters, then more")
}

// batchingSlot holds a guest that takes batches.
func batchingSlot(t *testing.T) *sandbox.Slot {
	t.Helper()
	src := carrying(t, Batching(), `, "batch": true, "capabilities": {"emit": {}, "state": {}}`)
	m, err := newEngine(t).Compile(t.Context(), sandbox.Source{Name: "p", Bytes: src})
	require.NoError(t, err)
	slot := sandbox.NewSlot()
	require.NoError(t, slot.Swap(t.Context(), m, 1))
	t.Cleanup(func() { require.NoError(t, slot.Close(context.Background())) })
	return slot
}
