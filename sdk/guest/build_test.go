package guest_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox/wasm/fuel"
	"github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// TestExamplesImportWhatTheyUse builds the examples. The list of imports is what
// a host grants capabilities by, so a service that nobody calls must not be in
// it.
func TestExamplesImportWhatTheyUse(t *testing.T) {
	for _, tt := range []struct {
		example string
		want    []string
	}{
		{"lockaccount", []string{"config", "emit", "fail", "input", "log", "output", "state_get", "state_set", "take"}},
		{"burst", []string{"fail", "input", "notify", "state_cas", "state_get", "take"}},
	} {
		t.Run(tt.example, func(t *testing.T) {
			t.Parallel()
			info, err := fuel.Scan(wasmtest.BuildGo(t, filepath.Join("examples", tt.example)), fuel.Bounds{})
			require.NoError(t, err)
			assert.Equal(t, tt.want, imports(info))
			for _, name := range []string{v1.ExportMarker, v1.ExportInvoke, v1.ExportInitialize, v1.ExportMemory} {
				_, ok := info.Export(name)
				assert.True(t, ok, name)
			}
		})
	}
}

func imports(info *fuel.Info) []string {
	var names []string
	for _, imp := range info.Imports {
		if imp.Module == v1.Module {
			names = append(names, imp.Name)
		}
	}
	slices.Sort(names)
	return names
}

// TestPluginOutsideTheTree builds a plugin in a folder of its own, with the
// go.mod that its author writes.
func TestPluginOutsideTheTree(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("go.mod", "module example.com/plugin\n\ngo 1.26.0\n\nrequire github.com/rhost/rhost v0.0.0\n\nreplace github.com/rhost/rhost => "+root+"\n")
	write("main.go", `package main

import "github.com/rhost/rhost/sdk/guest"

func init() { guest.Handle(func(c *guest.Call) error { return c.Emit("pong", guest.Map{"from": c.Event.Type}) }) }

func main() {}
`)
	info, err := fuel.Scan(wasmtest.BuildGo(t, dir), fuel.Bounds{})
	require.NoError(t, err)
	assert.Equal(t, []string{"emit", "fail", "input", "take"}, imports(info))
}
