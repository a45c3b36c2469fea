package wasm_test

import (
	"context"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm"
)

// TestTenantsShareACache: engines over one cache come and go, with the same modules and
// others, and none notices when another closes.
func TestTenantsShareACache(t *testing.T) {
	cache, err := wasm.OpenCache(filepath.Join(t.TempDir(), "cache"))
	require.NoError(t, err)
	open := func() *wasm.Engine {
		e, err := wasm.New(wasm.Options{Cache: cache})
		require.NoError(t, err)
		return e
	}
	stays := open()
	m, err := stays.Compile(t.Context(), sandbox.Source{Name: "echo", Bytes: echo()})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for tenant := range 4 {
		wg.Go(func() {
			for range 5 {
				e := open()
				for name, src := range map[string][]byte{"echo": echo(), "emit": emitTwo(), "own": verdict(int32(1+tenant%3), "no")} {
					m, err := e.Compile(t.Context(), sandbox.Source{Name: name, Bytes: src})
					if !assert.NoError(t, err) {
						return
					}
					_, _, err = once(t, m, newWorld(), callWith(`{"a":1}`))
					assert.NoError(t, err, name)
					assert.NoError(t, m.Close(t.Context()))
				}
				assert.NoError(t, e.Close(t.Context()))
			}
		})
	}
	for range 20 {
		reply, _, err := once(t, m, newWorld(), callWith(`{"a":1}`))
		require.NoError(t, err)
		require.JSONEq(t, `{"a":1}`, string(reply.Output))
		runtime.GC() // unmaps the code that nobody has any more
	}
	wg.Wait()
	require.NoError(t, m.Close(t.Context()))
	require.NoError(t, stays.Close(t.Context()))
	require.NoError(t, stays.Close(t.Context()))
	require.NoError(t, cache.Close(t.Context()))
}

// BenchmarkEngine is what a tenant costs before it has any plugin.
func BenchmarkEngine(b *testing.B) {
	cache, err := wasm.OpenCache(filepath.Join(b.TempDir(), "cache"))
	require.NoError(b, err)
	var all []*wasm.Engine
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for b.Loop() {
		e, err := wasm.New(wasm.Options{Cache: cache})
		require.NoError(b, err)
		all = append(all, e)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(all)), "heap-B/engine")
	for _, e := range all {
		require.NoError(b, e.Close(context.Background()))
	}
	require.NoError(b, cache.Close(context.Background()))
}

func TestCacheOfOthers(t *testing.T) {
	_, err := wasm.OpenCache(filepath.Join(t.TempDir(), "no\x00name"))
	require.ErrorContains(t, err, "cache of compiled modules: ")
}
