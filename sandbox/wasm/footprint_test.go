package wasm_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm"
	"github.com/rhost/rhost/sandbox/wasm/fuel"
	"github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// TestFootprintOfCode: whatever is compiled takes no more than its module says, on
// disk, which is as wazero maps it, and on the heap.
func TestFootprintOfCode(t *testing.T) {
	guests := map[string][]byte{"echo": echo(), "emit": emitTwo()}
	names := []string{"alloc", "fs", "http_headers", "replace", "exit"}
	if os.Getenv("RHOST_SOAK") != "" { // each takes seconds to compile
		guests["conformance"] = wasmtest.BuildGo(t, "testdata/conformance")
		names = append(names, "count_vowels_std", "hello_haskell", "std_command")
	}
	for _, name := range names {
		guests[name] = extismPlugin(t, name+".wasm")
	}
	for name, src := range guests {
		dir := filepath.Join(t.TempDir(), "cache")
		e, err := wasm.New(wasm.Options{CacheDir: dir})
		require.NoError(t, err)
		before := holdings(t).heap
		m, err := e.Compile(t.Context(), sandbox.Source{Name: name, Bytes: src})
		require.NoError(t, err, name)
		kept := max(holdings(t).heap-before, 0)
		f := sandbox.FootprintOf(m, sandbox.Limits{})
		code := sizeOf(t, dir)
		t.Logf("%s: %d bytes: %d of code, %d beside, %d said", name, len(src), code, kept, f.Code)
		assert.GreaterOrEqual(t, f.Code, code+int64(kept), name)
		require.NoError(t, m.Close(t.Context()))
		require.NoError(t, e.Close(context.WithoutCancel(t.Context())))
	}
}

func sizeOf(t *testing.T, dir string) (n int64) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		n += info.Size()
		return err
	}))
	return n
}

func TestFootprint(t *testing.T) {
	e := newEngine(t)
	m := compile(t, e, "echo", echo())
	lim := sandbox.Limits{Memory: 3 << 20, Stack: 1000}
	f := sandbox.FootprintOf(m, lim)
	assert.EqualValues(t, 3<<20, f.Memory)
	assert.EqualValues(t, 64_000, f.Stack)
	assert.EqualValues(t, 64<<10, f.Image, "the page that memory begins with")

	assert.EqualValues(t, fuel.MaxDepth*fuel.SlotBytes, sandbox.FootprintOf(m, sandbox.Limits{Stack: 1 << 40}).Stack)
	assert.EqualValues(t, 16<<20, sandbox.FootprintOf(m, sandbox.Limits{}).Memory, "the default limit")

	guest := goGuest(t)
	instance(t, guest, sandbox.Limits{})
	f = sandbox.FootprintOf(guest, sandbox.Limits{Memory: 1 << 40})
	assert.EqualValues(t, 1<<32, f.Memory, "what the module may have at most")
	assert.Greater(t, f.Image, int64(1<<20), "what start-up left")
}
