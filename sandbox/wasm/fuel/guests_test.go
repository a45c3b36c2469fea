package fuel_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// errNoToolchain says that a guest cannot be built here.
var errNoToolchain = errors.New("no compiler for WebAssembly")

// The guests under testdata, each built once.
var (
	buildGo   = sync.OnceValues(func() ([]byte, error) { return built(goCommand) })
	buildC    = sync.OnceValues(func() ([]byte, error) { return built(cCommand) })
	buildRust = sync.OnceValues(func() ([]byte, error) { return built(rustCommand) })
)

func goGuest(t testing.TB) []byte   { return guestOf(t, buildGo) }
func cGuest(t testing.TB) []byte    { return guestOf(t, buildC) }
func rustGuest(t testing.TB) []byte { return guestOf(t, buildRust) }

func guestOf(t testing.TB, build func() ([]byte, error)) []byte {
	t.Helper()
	if testing.Short() {
		t.Skip("building a guest takes seconds")
	}
	wasm, err := build()
	if errors.Is(err, errNoToolchain) {
		t.Skip(err)
	}
	require.NoError(t, err)
	return wasm
}

// built runs a command that writes a module to a file and reads it.
func built(command func(out string) (*exec.Cmd, error)) ([]byte, error) {
	dir, err := os.MkdirTemp("", "fuel-guest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the system clears up behind it
	out := filepath.Join(dir, "guest.wasm")
	cmd, err := command(out)
	if err != nil {
		return nil, err
	}
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", cmd, err, text)
	}
	return os.ReadFile(out)
}

func goCommand(out string) (*exec.Cmd, error) {
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-trimpath", "-buildmode=c-shared", "-o", out, ".")
	cmd.Dir = filepath.Join("testdata", "guest")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	return cmd, nil
}

func cCommand(out string) (*exec.Cmd, error) {
	for _, tool := range []string{"clang", "wasm-ld"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("%w: %w (Debian: clang, lld)", errNoToolchain, err)
		}
	}
	return exec.Command("clang", "--target=wasm32", "-O2", "-mbulk-memory", "-w", "-nostdlib", "-Wl,--no-entry",
		"-o", out, filepath.Join("testdata", "c", "work.c")), nil
}

// rustCommand takes the first Rust compiler that has the library for Wasm:
// rustup's needs it added, Debian's has it in a package.
func rustCommand(out string) (*exec.Cmd, error) {
	const target = "wasm32-unknown-unknown"
	for _, rustc := range []string{"rustc", "/usr/bin/rustc"} {
		dir, err := exec.Command(rustc, "--print", "target-libdir", "--target", target).Output()
		if err != nil {
			continue
		}
		if list, err := os.ReadDir(strings.TrimSpace(string(dir))); err != nil || len(list) == 0 {
			continue
		}
		return exec.Command(rustc, "--edition", "2018", "-O", "--target", target, "-C", "panic=abort", "-C", "strip=symbols",
			"-o", out, filepath.Join("testdata", "rust", "work.rs")), nil
	}
	return nil, fmt.Errorf("%w: no rustc with %s (rustup target add %s, or Debian: rustc, libstd-rust-dev-wasm32, lld)", errNoToolchain, target, target)
}
