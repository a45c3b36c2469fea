package wasmtest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// built remembers what BuildGo built, by folder, for the length of the test
// program.
var built sync.Map //nolint:gochecknoglobals // tests of one program share what takes seconds to build

type build struct {
	once sync.Once
	wasm []byte
	err  error
	log  []byte
}

// BuildGo builds the Go plugin in a folder the way its author does, and returns
// the module. A folder is built once; the result must not be changed. The test
// is skipped where there is no go command.
func BuildGo(tb testing.TB, dir string) []byte {
	tb.Helper()
	return buildGo(tb, dir, "c-shared")
}

// BuildGoCommand builds the Go program in a folder as a WASI command, as BuildGo does
// plugins.
func BuildGoCommand(tb testing.TB, dir string) []byte {
	tb.Helper()
	return buildGo(tb, dir, "default")
}

func buildGo(tb testing.TB, dir, mode string) []byte {
	tb.Helper()
	abs, err := filepath.Abs(dir)
	if err != nil {
		tb.Fatal(err)
	}
	goCommand, err := exec.LookPath("go")
	if err != nil {
		tb.Skip("the go command is needed to build a guest")
	}
	v, _ := built.LoadOrStore(abs, new(build))
	b, ok := v.(*build)
	if !ok {
		tb.Fatalf("a %T among the builds", v)
	}
	b.once.Do(func() { b.run(goCommand, abs, mode) })
	if b.err != nil {
		tb.Fatalf("build %s: %v\n%s", dir, b.err, b.log)
	}
	return b.wasm
}

func (b *build) run(goCommand, dir, mode string) {
	tmp, err := os.MkdirTemp("", "rhost-guest-")
	if err != nil {
		b.err = err
		return
	}
	out := filepath.Join(tmp, "guest.wasm")
	cmd := exec.CommandContext(context.Background(), goCommand, "build", "-buildmode="+mode, "-trimpath", "-o", out, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if b.err = cmd.Run(); b.err == nil {
		b.wasm, b.err = os.ReadFile(out)
	}
	b.log = log.Bytes()
	if err := os.RemoveAll(tmp); b.err == nil {
		b.err = err
	}
}
