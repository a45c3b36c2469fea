package wasm_test

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm"
	. "github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// relayOf is relay for a guest that speaks another version.
func relayOf(module, marker, service, request string) []byte {
	const buf = 4096
	m := Bare()
	m.Memory(1, 1)
	m.Export(v1.ExportMemory, 2, 0)
	ask := m.Import(module, service, i32s(4), []byte{TypeI64})
	set := m.Import(module, v1.FuncKVSet, i32s(4), []byte{TypeI64})
	m.Func(marker, nil, nil, nil)
	m.Data(buf, string(v1.AppendKVSet(nil, "out", 0, nil)))
	m.Invoke([]byte{TypeI64},
		put(m, 100, request), I32(buf+15), I32(8000), Call(ask), Set(1),
		I32(buf+7), Get(1), Op(0x37, 0, 0),
		I32(buf), Get(1), Wrap(), I32(15), Add(), I32(0), I32(0), Call(set), statusOf(), If(Unreachable()),
		I32(0))
	return m.Bytes()
}

func engineWith(t *testing.T, abis ...wasm.ABI) *wasm.Engine {
	t.Helper()
	e, err := wasm.New(wasm.Options{ABIs: abis})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.Close(context.WithoutCancel(t.Context()))) })
	return e
}

// TestTwoVersionsSideBySide runs guests of two ABIs in one engine: a service that
// changed answers each in its own bytes.
func TestTwoVersionsSideBySide(t *testing.T) {
	e := engineWith(t, wasm.V1(), wasm.V2())
	at := time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC)
	for _, tt := range []struct {
		module, marker string
		want           []byte
	}{
		{"rhost.v1", "rhost_abi_v1", v1.AppendNow(nil, at.Unix(), 5)},
		{"rhost.v2", "rhost_abi_v2", binary.LittleEndian.AppendUint64(nil, uint64(at.UnixMilli()))},
	} {
		m := compile(t, e, "p", relayOf(tt.module, tt.marker, "now", ""))
		assert.Equal(t, tt.module, m.Info().ABI)
		reply, _, err := once(t, m, newWorld(), callWith(""))
		require.NoError(t, err)
		assert.Equal(t, tt.want, reply.Effects[0].Bytes)
	}
	for name, tt := range map[string]struct {
		engine *wasm.Engine
		src    []byte
		want   string
	}{
		"not offered": {
			engineWith(t, wasm.V1()), relayOf("rhost.v2", "rhost_abi_v2", "now", ""),
			"load p: speaks rhost.v2; this host offers rhost.v1",
		},
		"none of two": {e, relayOf("rhost.v3", "rhost_abi_v3", "now", ""), "load p: speaks rhost.v3; this host offers rhost.v1 and rhost.v2"},
		"mixed": {
			e, relayOf("rhost.v2", "rhost_abi_v1", "now", ""),
			"load p: imports rhost.v2.now and speaks rhost.v1, by its export rhost_abi_v1; import from the one that it speaks",
		},
	} {
		_, err := tt.engine.Compile(t.Context(), sandbox.Source{Name: "p", Bytes: tt.src})
		assert.EqualError(t, err, tt.want, name)
	}
}

// TestOlderHost tells an author which host the module needs.
func TestOlderHost(t *testing.T) {
	e := engineWith(t, wasm.V1().Until(0))
	_, err := e.Compile(t.Context(), sandbox.Source{Name: "p", Bytes: asking(v1.FuncKVGet)})
	require.EqualError(t, err, "load p: needs rhost.v1.kv_get (host 1.1 or newer); this one is 1.0; use a newer host, or list the function under optional in the manifest if the module can do without")
	compile(t, e, "p", asking(v1.FuncStateCAS, v1.FuncEmit))
}

// TestOptionalImports links what a host does not have to a stub, where the guest
// can do without.
func TestOptionalImports(t *testing.T) {
	m := New()
	teleport, output := m.Service("teleport"), m.Core(v1.FuncOutput)
	m.Data(100, "{}")
	m.Table(1, 1)
	m.Invoke(nil,
		I32(0), I32(0), I32(0), I32(64), Call(teleport), I64(int64(v1.Pack(v1.StatusUnsupported, 0))), Op(0x52), If(Unreachable()),
		I32(100), I32(2), Call(output), I32(0))
	src := m.Bytes()
	e := newEngine(t)
	_, err := e.Compile(t.Context(), sandbox.Source{Name: "p", Bytes: carrying(t, src, "")})
	require.ErrorContains(t, err, "needs rhost.v1.teleport, which no host up to 1.1 has")
	module := compile(t, e, "p", carrying(t, src, `, "optional": ["teleport"]`))
	assert.Equal(t, []string{"output", "teleport"}, module.Info().Functions)
	reply, usage, err := once(t, module, newWorld(), callWith(""))
	require.NoError(t, err)
	assert.JSONEq(t, `{}`, string(reply.Output))
	assert.Equal(t, 1, usage.HostCalls)

	odd := New()
	odd.Import(v1.Module, "teleport", nil, nil)
	odd.Invoke(nil, I32(0))
	_, err = e.Compile(t.Context(), sandbox.Source{Name: "p", Bytes: carrying(t, odd.Bytes(), `, "optional": ["teleport"]`)})
	require.ErrorContains(t, err, "needs rhost.v1.teleport", "only services are stubbed")

	sly := New()
	sly.Import("rhost.stub", "unsupported", i32s(4), []byte{TypeI64})
	sly.Invoke(nil, I32(0))
	_, err = e.Compile(t.Context(), sandbox.Source{Name: "p", Bytes: sly.Bytes()})
	assert.ErrorContains(t, err, "imports from rhost.stub, which is the host's own")
}
