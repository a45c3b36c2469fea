package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/deploy"
)

// Each language's build without its tools says what to install.
func TestBuildSaysWhatToInstall(t *testing.T) {
	t.Setenv("PATH", "")
	for file, want := range map[string]string{
		"main.go":       "install Go",
		"p.c":           "apt-get install clang lld",
		"asconfig.json": "npm install",
	} {
		dir := t.TempDir()
		write(t, dir, "p/"+file, "")
		found, err := deploy.Find(dir)
		require.NoError(t, err)
		_, err = deploy.Build(t.Context(), found[0])
		assert.ErrorIs(t, err, deploy.ErrNoTool, file)
		assert.ErrorContains(t, err, want)
	}
}

// TestRustWithoutItsTarget has a cargo and a rustc that know no WebAssembly.
func TestRustWithoutItsTarget(t *testing.T) {
	if _, err := os.Stat("/usr/bin/cargo"); err == nil {
		t.Skip("the system's own Rust would be found")
	}
	bin, dir := t.TempDir(), t.TempDir()
	for _, tool := range []string{"cargo", "rustc"} {
		require.NoError(t, os.WriteFile(filepath.Join(bin, tool), []byte("#!/bin/sh\necho /nowhere\n"), 0o700))
	}
	write(t, dir, "p/Cargo.toml", "")
	found, err := deploy.Find(dir)
	require.NoError(t, err)
	t.Setenv("PATH", bin)
	_, err = deploy.Build(t.Context(), found[0])
	assert.ErrorIs(t, err, deploy.ErrNoTool)
	assert.ErrorContains(t, err, "rustup target add wasm32-unknown-unknown")
}

// TestBuildC builds what is no test, and shows what the compiler says.
func TestBuildC(t *testing.T) {
	for _, tool := range []string{"clang", "wasm-ld"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is needed", tool)
		}
	}
	dir := t.TempDir()
	write(t, dir, "p/one.c", `int two(void); __attribute__((export_name("one"))) int one(void) { return two(); }`)
	write(t, dir, "p/two.c", `int two(void) { return 2; }`)
	write(t, dir, "p/test_one.c", `int main(void) { return no_such_thing; }`)
	found, err := deploy.Find(dir)
	require.NoError(t, err)
	_, err = deploy.Build(t.Context(), found[0])
	require.NoError(t, err)
	b, err := os.ReadFile(found[0].File)
	require.NoError(t, err)
	assert.Equal(t, "\x00asm", string(b[:4]))
	stale, err := found[0].Stale()
	require.NoError(t, err)
	assert.False(t, stale)

	write(t, dir, "p/two.c", `int two(void) { return undeclared; }`)
	_, err = deploy.Build(t.Context(), found[0])
	assert.ErrorContains(t, err, "undeclared")

	write(t, dir, "q/test_q.c", "")
	found, err = deploy.Find(dir)
	require.NoError(t, err)
	_, err = deploy.Build(t.Context(), found[1])
	assert.ErrorContains(t, err, "nothing but tests")
}

// A plugin of a bundle is known by its path, as Find knows it by its folder.
func TestFoundAt(t *testing.T) {
	for name, want := range map[string]deploy.Found{
		"plugins/a.lua":    {Name: "a", Kind: deploy.Lua},
		"plugins/a/a.js":   {Name: "a", Kind: deploy.JS},
		"plugins/a/a.wasm": {Name: "a", Kind: deploy.Wasm},
		"plugins/a/b.wasm": {},
		"plugins/_a.lua":   {},
		"plugins/a/a.c":    {},
		"rules/a.lua":      {},
	} {
		got, ok := deploy.FoundAt("app", name)
		assert.Equal(t, want.Name != "", ok, name)
		if ok {
			want.File = filepath.Join("app", name)
		}
		assert.Equal(t, want, got, name)
	}
}
