package wasm_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
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

// signOfNaN ends as ok if 0/0 has no sign, which is what processors do not agree on.
func signOfNaN() []byte {
	zero := append(Code{0x44}, make(Code, 8)...) // f64.const 0
	m := New()
	m.Invoke(nil, zero, zero, Op(0xa3), Op(0xbd), I64(63), Op(0x88), Wrap())
	return m.Bytes()
}

func TestCanonicalNaN(t *testing.T) {
	e := newEngine(t)
	src := sandbox.Source{Name: "nan", Bytes: signOfNaN(), CanonicalNaN: true}
	m, err := e.Compile(t.Context(), src)
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close(t.Context())) }()
	reply, usage, err := once(t, m, newWorld(), callWith(""))
	require.NoError(t, err)
	assert.Equal(t, abi.ResultOK, reply.Result)
	plain := compile(t, e, "nan", signOfNaN())
	_, want, err := once(t, plain, newWorld(), callWith(""))
	require.NoError(t, err)
	assert.Equal(t, want.Fuel, usage.Fuel)

	assert.Equal(t, plain.Info().Runtime+", canonical NaN", m.Info().Runtime)
	assert.Equal(t, src, src.As(m.Info().Runtime), "a record tells how it ran")
	assert.False(t, src.As(plain.Info().Runtime).CanonicalNaN)
}
