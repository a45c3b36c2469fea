package wasm_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/abi/manifest"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
	. "github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// BenchmarkBatch compares 64 calls in a batch with 64 calls one by one, of a guest
// that reads its input and emits an event. Figures are of one call.
func BenchmarkBatch(b *testing.B) {
	const n = 64
	m := New()
	item, input, emit := m.Core(v1.FuncItem), m.Core(v1.FuncInput), m.Service(v1.FuncEmit)
	one := ask(emit, put(m, 100, message("seen", `{"n":1}`)))
	m.Func(v1.ExportBatch, []byte{TypeI32}, []byte{TypeI32}, i32s(2),
		I32(1024), I32(60000), Call(input), Drop(),
		I32(1024), Load(0), Set(2),
		Loop(Get(1), Call(item), one, Get(1), I32(1), Add(), Tee(1), Get(2), Less(), BranchIf(0)),
		I32(0))
	m.Invoke(nil, I32(1024), I32(60000), Call(input), Drop(), one, I32(0))
	src, err := manifest.Embed(m.Bytes(), []byte(`{"name":"p","version":"1","abi":"rhost.v1","batch":true,"capabilities":{"emit":{}}}`))
	require.NoError(b, err)
	slot := sandbox.NewSlot()
	require.NoError(b, slot.Swap(b.Context(), compile(b, newEngine(b), "p", src), 1))
	call := callWith(`{"n":1}`)
	session := func() *sandbox.Session {
		return sandbox.NewSession(sandbox.Services{}, abi.Capabilities(), patient())
	}
	b.Run("one by one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := slot.Call(b.Context(), call, session()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("64 at once", func(b *testing.B) {
		b.ReportAllocs()
		list := make([]sandbox.BatchItem, n)
		for i := 0; i < b.N; i += n {
			for k := range list {
				list[k] = sandbox.BatchItem{Call: call, Session: session()}
			}
			for _, r := range slot.CallBatch(b.Context(), list) {
				if r.Err != nil || len(r.Reply.Effects) != 1 {
					b.Fatal(r)
				}
			}
		}
	})
}
