package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi/manifest"
	"github.com/rhost/rhost/host/deploy"
)

const aboutGo = "name: p\nversion: '1'\nabi: rhost.v1\ncapabilities: {emit: {}}\n"

// found is the one plugin of a folder.
func found(t *testing.T, dir string) deploy.Found {
	t.Helper()
	list, err := deploy.Find(dir)
	require.NoError(t, err)
	require.Len(t, list, 1)
	return list[0]
}

func put(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
}

// TestBuildPutsTheManifestIn builds a module and changes what it says of itself.
func TestBuildPutsTheManifestIn(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no Go toolchain")
	}
	dir := t.TempDir()
	put(t, filepath.Join(dir, "p", "go.mod"), "module p\n\ngo 1.24\n")
	put(t, filepath.Join(dir, "p", "main.go"), "package main\n\nfunc main() {}\n\n//go:wasmexport rhost_abi_v1\nfunc marker() {}\n\n//go:wasmexport rhost_invoke\nfunc invoke(int32) int32 { return 0 }\n")
	put(t, filepath.Join(dir, "p", "manifest.yaml"), aboutGo)
	f := found(t, dir)
	_, err := deploy.Build(t.Context(), f)
	require.NoError(t, err)
	src, err := f.Read()
	require.NoError(t, err)
	text, err := manifest.Section(src)
	require.NoError(t, err)
	assert.JSONEq(t, `{"name":"p","version":"1","abi":"rhost.v1","capabilities":{"emit":{}}}`, string(text))
	stale, err := f.Stale()
	require.NoError(t, err)
	assert.False(t, stale)

	put(t, f.Manifest, aboutGo+"description: changed\n")
	later := time.Now().Add(time.Minute)
	require.NoError(t, os.Chtimes(f.Manifest, later, later))
	stale, err = f.Stale()
	require.NoError(t, err)
	assert.True(t, stale, "a manifest is source")
	_, err = f.Read()
	require.ErrorContains(t, err, "is not the manifest that p.wasm carries; run `rhost plugin build")
	_, err = deploy.Build(t.Context(), f)
	require.NoError(t, err)
	_, err = f.Read()
	require.NoError(t, err)

	put(t, f.Manifest, aboutGo+"limits: {fuel: none}\n")
	_, err = deploy.Build(t.Context(), f)
	require.ErrorContains(t, err, "manifest.yaml:5:10: limits.fuel: is no whole number above 0")
	put(t, filepath.Join(dir, "p", "plugin.yaml"), aboutGo)
	_, err = deploy.Find(dir)
	assert.ErrorContains(t, err, "it has both manifest.yaml and plugin.yaml; keep one")
}

// TestScriptWithItsManifest reads both as one text, which one digest names.
func TestScriptWithItsManifest(t *testing.T) {
	for ext, comment := range map[string]string{".lua": "--", ".js": "//"} {
		dir := t.TempDir()
		put(t, filepath.Join(dir, "p"+ext), "x")
		plain, err := found(t, dir).Read()
		require.NoError(t, err)
		assert.Equal(t, "x", string(plain))
		put(t, filepath.Join(dir, "p.manifest.yaml"), aboutGo)
		both, err := found(t, dir).Read()
		require.NoError(t, err)
		assert.Equal(t, "x\n"+comment+`rhost.manifest {"abi":"rhost.v1","capabilities":{"emit":{}},"name":"p","version":"1"}`+"\n", string(both))
	}
}

func TestReadManifestNamesThePlace(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "m.yaml:1:1: holds 0 documents; a manifest is one",
		"a: 1\n---\n":                  "m.yaml",
		aboutGo + "x: [":               "m.yaml:5:4: x",
		aboutGo + "optional: [a, 5]\n": "m.yaml:5:15: optional[1]: is no text",
		aboutGo + "config:\n  $ref: http://x.example/\n":        "m.yaml:5:1: config: $ref",
		aboutGo + "limits: {memory: 1MiB}\nlimits: {fuel: 1}\n": "m.yaml:6:1: limits",
	} {
		_, err := deploy.ReadManifest("m.yaml", []byte(text))
		assert.ErrorContains(t, err, want, text)
	}
}
