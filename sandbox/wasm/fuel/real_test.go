package fuel_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"

	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// proposals are the reasons for which a real module may be refused.
var proposals = []string{"(threads)", "exception handling", "ref.func: is not admitted"}

// TestRealModules: whatever compilers made is admitted, unless it uses a
// language feature that is not. The modules are those of Go dependencies in the
// module cache: TinyGo, Rust, Zig, C, AssemblyScript, Emscripten, and whatever
// a fuzzer of wazero's once found. RHOST_WASM may name more. They
// are compiled for the interpreter, with RHOST_SOAK=1 for the machine.
func TestRealModules(t *testing.T) {
	files := strings.Fields(os.Getenv("RHOST_WASM"))
	for _, dep := range []string{"github.com/tetratelabs/wazero", "github.com/extism/go-sdk@v1.7.1"} {
		files = append(files, wasmOf(t, dep)...)
	}
	if len(files) == 0 {
		t.Skip("the module cache holds no Wasm")
	}
	m := newMachine(t, wazero.NewRuntimeConfigInterpreter())
	if os.Getenv("RHOST_SOAK") != "" {
		m = newMachine(t, wazero.NewRuntimeConfigCompiler())
	}
	admitted := 0
	for _, file := range files {
		wasm, err := os.ReadFile(file)
		require.NoError(t, err)
		res, err := fuel.Instrument(wasm, everything)
		if err != nil {
			refusedFor := func(p string) bool { return strings.Contains(err.Error(), p) }
			assert.True(t, anyOf(proposals, refusedFor), "%s: %v", file, err)
			continue
		}
		admitted++
		code, err := m.rt.CompileModule(m.ctx, res.Wasm)
		if assert.NoError(t, err, file) {
			require.NoError(t, code.Close(m.ctx))
		}
	}
	t.Logf("%d of %d modules admitted", admitted, len(files))
}

func anyOf(list []string, ok func(string) bool) bool {
	return slices.ContainsFunc(list, ok)
}

// wasmOf lists the Wasm files of a Go module, the specification's tests left
// out.
func wasmOf(t *testing.T, dep string) []string {
	t.Helper()
	path, version, pinned := strings.Cut(dep, "@")
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", path).Output()
	dir := strings.TrimSpace(string(out))
	if pinned {
		out, err = exec.Command("go", "env", "GOMODCACHE").Output()
		dir = filepath.Join(strings.TrimSpace(string(out)), filepath.FromSlash(path)+"@"+version)
	}
	require.NoError(t, err)
	var files []string
	err = filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return filepath.SkipDir
		}
		if strings.HasSuffix(name, ".wasm") && !strings.Contains(name, "spectest") {
			files = append(files, name)
		}
		return nil
	})
	require.NoError(t, err)
	return files
}
