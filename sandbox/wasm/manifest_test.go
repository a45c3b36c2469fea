package wasm_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/abi/manifest"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
	. "github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// carrying gives a module a manifest.
func carrying(t *testing.T, wasm []byte, more string) []byte {
	t.Helper()
	out, err := manifest.Embed(wasm, []byte(`{"name": "p", "version": "1", "abi": "rhost.v1"`+more+`}`))
	require.NoError(t, err)
	return out
}

// asking imports services and calls none.
func asking(services ...string) []byte {
	m := New()
	for _, s := range services {
		m.Service(s)
	}
	m.Invoke(nil, I32(0))
	return m.Bytes()
}

func TestManifestOfAModule(t *testing.T) {
	e := newEngine(t)
	src := carrying(t, asking(v1.FuncEmit, v1.FuncKVGet), `, "capabilities": {"emit": {}, "http": {}}`)
	info := compile(t, e, "p", src).Info()
	assert.Equal(t, []abi.Capability{abi.CapEmit}, info.Needs, "what it imports and its manifest asks for")
	assert.Equal(t, "p", info.Manifest.Name)
	assert.Equal(t, []string{"emit", "kv_get"}, info.Functions)
	assert.Equal(t, sandbox.Digest(src), info.Digest, "the manifest is part of the module")

	other, err := manifest.Embed([]byte("\x00asm\x01\x00\x00\x00"), []byte("{}"))
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		src  []byte
		want string
	}{
		"two":      {append(src, other[8:]...), "load p: the module has two sections rhost.manifest; build it again so that it has one"},
		"a key":    {carrying(t, asking(), `, "limit": {}`), "load p: manifest: limit: nobody knows this key; did you mean limits?"},
		"no batch": {carrying(t, asking(), `, "batch": true`), "load p: manifest: batch: the module exports no function rhost_batch of type (i32) → (i32); export it, or leave batch out"},
	} {
		_, err := e.Compile(t.Context(), sandbox.Source{Name: "p", Bytes: tt.src})
		var refusal *sandbox.Refusal
		require.ErrorAs(t, err, &refusal, name)
		assert.EqualError(t, err, tt.want)
	}
}
