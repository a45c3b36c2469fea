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

// ErrNoTool is the error of a build on a machine without the language's
// toolchain. What wraps it says which tool, and how to install it.
var ErrNoTool = errors.New("a tool is missing")

// noTool is ErrNoTool in words of its own.
type noTool string

func (n noTool) Error() string { return string(n) }
func (noTool) Unwrap() error   { return ErrNoTool }

// Build compiles the source of a plugin into its file, replacing it in one step,
// so that a host that watches never sees half of it. It returns how long the
// compiler took.
func Build(ctx context.Context, f Found) (time.Duration, error) {
	if f.Source == "" {
		return 0, fmt.Errorf("build %s: %s holds no source", f.Name, filepath.Dir(f.File))
	}
	start := time.Now()
	if err := build(ctx, f); err != nil {
		return 0, fmt.Errorf("build %s: %w", f.Name, err)
	}
	return time.Since(start), nil
}

func build(ctx context.Context, f Found) error {
	compile, ok := map[Lang]func(ctx context.Context, dir, out string) error{
		Go: buildGo, C: buildC, Rust: buildRust, AssemblyScript: buildAssemblyScript,
	}[f.Lang]
	if !ok {
		return fmt.Errorf("nothing compiles %s", f.Lang)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(f.File), ".build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	out, err := filepath.Abs(filepath.Join(tmp, "out.wasm"))
	if err != nil {
		return err
	}
	if err := compile(ctx, f.Source, out); err != nil {
		return err
	}
	return f.finish(out)
}

// run runs a compiler in dir. What it said is part of the error.
func run(ctx context.Context, dir string, env []string, name string, args ...string) (stdout []byte, err error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		text := strings.TrimSpace(said.String())
		if text == "" {
			text = strings.TrimSpace(out.String())
		}
		return nil, fmt.Errorf("%s in %s: %w\n%s", filepath.Base(name), dir, err, text)
	}
	return out.Bytes(), nil
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
