package wasm_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm"
	. "github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// countdown calls itself n times in tail position, and ends as ok.
func countdown(n int32) []byte {
	m := New()
	down := m.Func("", []byte{TypeI32}, []byte{TypeI32}, nil,
		Get(0), Op(0x45), If(I32(0), Return()),
		Get(0), I32(1), Sub(), Op(0x12, 0)) // return_call, of itself
	m.Invoke(nil, I32(n), Call(down))
	return m.Bytes()
}

// TestProposals: what a module uses beyond the core of the language is admitted where
// the options say so, told of, and compiled in a child all the same.
func TestProposals(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	src := sandbox.Source{Name: "down", Bytes: countdown(100_000)}
	_, err = newEngine(t).Compile(t.Context(), src)
	require.EqualError(t, err, "load down: tail calls are not admitted by this host; build without tail calls, or set wasm.tail_calls: true in rhost.yaml")

	e, err := wasm.New(wasm.Options{CacheDir: filepath.Join(t.TempDir(), "cache"), Compiler: []string{self, childArg}, TailCalls: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close(context.Background())) }()
	m := compile(t, e, src.Name, src.Bytes)
	assert.Equal(t, []string{sandbox.TailCalls}, m.Info().Proposals)
	w := newWorld()
	w.limits.Stack = 100
	_, _, err = once(t, m, w, callWith(""))
	require.NoError(t, err, "no stack is used up")
	w.limits.Fuel = 100_000
	_, _, err = once(t, m, w, callWith(""))
	assert.Equal(t, sandbox.FaultFuel, sandbox.KindOf(err), "%v", err)

	assert.Nil(t, compile(t, e, "echo", echo()).Info().Proposals)
}
