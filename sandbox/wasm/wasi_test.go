package wasm

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// TestWASIHasEveryFunction compares names and types with wazero's own, which we
// do not use because it keeps descriptors from one call to the next.
func TestWASIHasEveryFunction(t *testing.T) {
	ctx := t.Context()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	defer func() { assert.NoError(t, r.Close(ctx)) }()
	theirs, err := wasi_snapshot_preview1.NewBuilder(r).Compile(ctx)
	require.NoError(t, err)

	ours := make(map[string]hostFunc)
	for _, f := range wasiFuncs() {
		ours[f.name] = f
	}
	want := theirs.ExportedFunctions()
	assert.Len(t, ours, len(want))
	for name, def := range want {
		f, ok := ours[name]
		if assert.True(t, ok, "%s is missing", name) {
			assert.Equal(t, string(def.ParamTypes()), string(f.params), "parameters of %s", name)
			assert.Equal(t, string(def.ResultTypes()), string(f.results), "results of %s", name)
		}
	}
}
