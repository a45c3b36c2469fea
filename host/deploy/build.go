package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ErrNoGo is the error of a build on a machine without the Go toolchain.
var ErrNoGo = errors.New("the go command is not installed; install Go, or build the plugin elsewhere and copy its .wasm file here")

// Build compiles the Go source of a plugin into its file, replacing it in one
// step, so that a host that watches never sees half of it. It returns how long
// the compiler took.
func Build(ctx context.Context, f Found) (time.Duration, error) {
	if f.Source == "" {
		return 0, fmt.Errorf("build %s: %s holds no Go source", f.Name, filepath.Dir(f.File))
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		return 0, fmt.Errorf("build %s: %w", f.Name, ErrNoGo)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(f.File), ".build-")
	if err != nil {
		return 0, fmt.Errorf("build %s: %w", f.Name, err)
	}
	defer os.RemoveAll(tmp)
	out, err := filepath.Abs(filepath.Join(tmp, "out.wasm"))
	if err != nil {
		return 0, fmt.Errorf("build %s: %w", f.Name, err)
	}

	start := time.Now()
	cmd := exec.CommandContext(ctx, goTool, "build", "-trimpath", "-ldflags=-s -w", "-buildmode=c-shared", "-o", out, ".")
	cmd.Dir = f.Source
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("build %s: go build in %s: %w\n%s", f.Name, f.Source, err, strings.TrimSpace(said.String()))
	}
	if err := f.finish(out); err != nil {
		return 0, fmt.Errorf("build %s: %w", f.Name, err)
	}
	return time.Since(start), nil
}

// finish puts a module that was built into its place, with its manifest.
func (f Found) finish(built string) error {
	if f.Manifest != "" {
		wasm, err := os.ReadFile(built)
		if err != nil {
			return err
		}
		if wasm, err = f.embed(wasm); err != nil {
			return err
		}
		if err := os.WriteFile(built, wasm, 0o644); err != nil {
			return err
		}
	}
	return os.Rename(built, f.File)
}
