package wasm_test

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// TestNothingIsLeft runs attack after attack through slots, as a host does. What the
// process holds afterwards is what it held after the first few. RHOST_SOAK=1 makes
// ten thousand of them.
func TestNothingIsLeft(t *testing.T) {
	rounds := 20
	if os.Getenv("RHOST_SOAK") != "" {
		rounds = 10_000
	}
	if testing.Short() {
		rounds = 3
	}
	e := newEngine(t)
	limits := sandbox.Limits{Fuel: 200_000, Memory: 8 << 20, Deadline: time.Minute, HostCalls: 50}
	attacks := wasmtest.Attacks()
	slots := make([]*sandbox.Slot, len(attacks))
	for i, a := range attacks {
		m, err := e.Compile(t.Context(), sandbox.Source{Name: a.Name, Bytes: a.Wasm})
		require.NoError(t, err, a.Name)
		slots[i] = sandbox.NewSlot()
		require.NoError(t, slots[i].Swap(t.Context(), m, 2))
		defer func() { require.NoError(t, slots[i].Close(t.Context())) }()
	}
	run := func() {
		for i, s := range slots {
			session := sandbox.NewSession(sandbox.Services{}, abi.Capabilities(), limits)
			_, _, err := s.Call(t.Context(), callWith(""), session)
			require.NotEmpty(t, sandbox.KindOf(err), "%s: %v", attacks[i].Name, err)
		}
	}
	run()
	before := holdings(t)
	for range max(1, rounds/len(slots)) {
		run()
	}
	after := holdings(t)
	assert.LessOrEqual(t, after.goroutines, before.goroutines, "goroutines")
	assert.LessOrEqual(t, after.files, before.files, "open files")
	assert.LessOrEqual(t, after.mappings, before.mappings+8, "mappings; the Go heap may have grown by some")
	assert.LessOrEqual(t, after.heap, before.heap+8<<20, "bytes of heap")
	assert.LessOrEqual(t, after.resident, before.resident+48<<20, "resident bytes")
}

// held is what a process has.
type held struct{ goroutines, files, mappings, heap, resident int }

func holdings(t *testing.T) held {
	t.Helper()
	debug.FreeOSMemory()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	h := held{goroutines: runtime.NumGoroutine(), heap: int(mem.HeapAlloc)}
	if list, err := os.ReadDir("/proc/self/fd"); err == nil {
		h.files = len(list)
	}
	if maps, err := os.ReadFile("/proc/self/maps"); err == nil {
		h.mappings = strings.Count(string(maps), "\n")
	}
	if statm, err := os.ReadFile("/proc/self/statm"); err == nil {
		pages, err := strconv.Atoi(strings.Fields(string(statm))[1])
		require.NoError(t, err)
		h.resident = pages * os.Getpagesize()
	}
	return h
}
