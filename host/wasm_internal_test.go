package host

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// TestWasmSettings: what rhost.yaml says of Wasm reaches the engine.
func TestWasmSettings(t *testing.T) {
	m := wasmtest.New()
	f := m.Func("", []byte{wasmtest.TypeI32}, []byte{wasmtest.TypeI32}, nil, wasmtest.Get(0), wasmtest.Op(0x12, 0)) // return_call of itself
	m.Invoke(nil, wasmtest.I32(0), wasmtest.Call(f))
	a := newApp(t, map[string]string{"plugins/p.wasm": string(m.Bytes())})
	_, err := New(t.Context(), Options{App: a.dir, Data: a.data, Listen: "off"})
	require.ErrorContains(t, err, "set wasm.tail_calls: true in rhost.yaml")

	a.write("rhost.yaml", "wasm: {tail_calls: true}\nplugins: {p: {canonical_nan: true}}\n")
	l := a.start()
	s, ok := l.setup("p")
	require.True(t, ok)
	assert.Equal(t, []string{sandbox.TailCalls}, s.info.Proposals)
	assert.Contains(t, s.info.Runtime, ", canonical NaN")
}
