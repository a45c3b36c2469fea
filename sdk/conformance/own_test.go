package conformance_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/deploy"
)

// tool returns the path of a command, or skips the test.
func tool(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skipf("none of %s is installed", strings.Join(names, ", "))
	return ""
}

// inFolder runs a command in a folder and returns what it said.
func inFolder(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CARGO_NET_OFFLINE=true", "NO_COLOR=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %s in %s:\n%s", name, strings.Join(args, " "), dir, out)
	return string(out)
}

// goldenArgs are the files of abi/v1/testdata as name=hex.
func goldenArgs(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../abi/v1/testdata/*.hex")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var args []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		arg := strings.TrimSuffix(filepath.Base(f), ".hex") + "="
		for line := range strings.Lines(string(text)) {
			code, _, _ := strings.Cut(line, ";")
			arg += strings.Join(strings.Fields(code), "")
		}
		args = append(args, arg)
	}
	return args
}

// TestC runs the header's own test, with golden bytes and under the sanitizers
// where the compiler has them, and the tests of the examples.
func TestC(t *testing.T) {
	t.Parallel()
	cc := tool(t, "gcc", "clang", "cc")
	for _, source := range []string{"test/golden.c", "examples/burst/test_burst.c", "examples/lockaccount/test_lockaccount.c"} {
		out := filepath.Join(t.TempDir(), "test")
		args := []string{"-std=c99", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-o", out, filepath.Join("../c", source)}
		if err := exec.CommandContext(t.Context(), cc, append([]string{"-fsanitize=address,undefined", "-fno-sanitize-recover=all"}, args...)...).Run(); err != nil {
			inFolder(t, ".", cc, args...) // no sanitizers here, or no good code: this says which
		}
		assert.Contains(t, inFolder(t, ".", out, goldenArgs(t)...), "ok: ", source)
	}
}

// TestRust runs the crate's own tests, with golden bytes, and those of the examples.
func TestRust(t *testing.T) {
	t.Parallel()
	cargo := tool(t, "cargo", "/usr/bin/cargo")
	for _, dir := range []string{".", "examples/burst", "examples/lockaccount"} {
		said := inFolder(t, filepath.Join("../rust", dir), cargo, "test", "--quiet")
		assert.Contains(t, said, "test result: ok", dir)
	}
}

// TestAssemblyScript builds and runs the tests with golden bytes and those of the
// examples.
func TestAssemblyScript(t *testing.T) {
	t.Parallel()
	node := tool(t, "node")
	golden := deploy.Found{Name: "golden", Kind: deploy.Wasm, File: "../assemblyscript/test/golden.wasm", Source: "../assemblyscript/test", Lang: deploy.AssemblyScript}
	examples, err := deploy.Find("../assemblyscript/examples")
	require.NoError(t, err)
	require.Len(t, examples, 2)
	for _, f := range append(examples, golden) {
		// Another test may want an example at the same time: it is replaced in one step.
		_, err := deploy.Build(t.Context(), f)
		if errors.Is(err, deploy.ErrNoTool) {
			t.Skip(err)
		}
		require.NoError(t, err)
		tests, err := filepath.Glob(filepath.Join(f.Source, "*.test.mjs"))
		require.NoError(t, err)
		if f.Name != "golden" {
			tests, err = filepath.Glob(filepath.Join(f.Source, "test", "*.test.mjs"))
			require.NoError(t, err)
		}
		require.NotEmpty(t, tests)
		assert.Contains(t, inFolder(t, ".", node, append([]string{"--test"}, tests...)...), "# fail 0", f.Name)
	}
}
