package wasm_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm"
	"github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// childArg makes the test program the process that compiles.
const childArg = "compile-child"

func childEngine(t *testing.T, o wasm.Options) *wasm.Engine {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	if o.Compiler == nil {
		o.Compiler = []string{self, childArg}
	}
	o.CacheDir = filepath.Join(t.TempDir(), "cache")
	e, err := wasm.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.Close(context.Background())) })
	return e
}

func TestCompileInAProcess(t *testing.T) {
	e := childEngine(t, wasm.Options{})
	for range 2 { // the second time there is a note, and no process
		m, err := e.Compile(t.Context(), sandbox.Source{Name: "p", Bytes: echo()})
		require.NoError(t, err)
		reply, _, err := once(t, m, newWorld(), callWith(`{"a":1}`))
		require.NoError(t, err)
		assert.Equal(t, abi.ResultOK, reply.Result)
		require.NoError(t, m.Close(t.Context()))
	}
}

// A module that the compiler does not finish with is refused, in time, and what it
// was given is not tried here.
func TestCompileThatTakesTooLong(t *testing.T) {
	src := wasmtest.BuildGo(t, "testdata/conformance")
	e := childEngine(t, wasm.Options{CompileTime: 100 * time.Millisecond})
	start := time.Now()
	_, err := e.Compile(t.Context(), sandbox.Source{Name: "dear", Bytes: src})
	var refusal *sandbox.Refusal
	require.ErrorAs(t, err, &refusal)
	assert.Contains(t, refusal.Reason, "the compiler does not finish with the module: it takes too much time or memory: still compiling after 100ms")
	assert.Less(t, time.Since(start), 30*time.Second)

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = e.Compile(ctx, sandbox.Source{Name: "dear", Bytes: src})
	assert.ErrorIs(t, err, context.DeadlineExceeded, "whoever asked gave up")
}

func TestProcessThatCompilesFails(t *testing.T) {
	for name, tc := range map[string]struct {
		command []string
		want    string
	}{
		"not there": {[]string{"/does/not/exist"}, "start the process that compiles"},
		"crashes":   {[]string{"/bin/sh", "-c", "echo fatal error: out of memory; kill -9 $$"}, "signal: killed: fatal error: out of memory"},
		"refuses":   {[]string{"/bin/sh", "-c", "echo no such type; exit 3"}, "the compiler refuses the module: no such type"},
		"floods":    {[]string{"/bin/sh", "-c", "yes xxxx | head -c 1000000; exit 3"}, "xxxx"},
	} {
		t.Run(name, func(t *testing.T) {
			e := childEngine(t, wasm.Options{Compiler: tc.command})
			_, err := e.Compile(t.Context(), sandbox.Source{Name: "p", Bytes: echo()})
			var refusal *sandbox.Refusal
			require.ErrorAs(t, err, &refusal)
			require.Less(t, len(err.Error()), 10_000)
			assert.ErrorContains(t, err, tc.want)
		})
	}
}
