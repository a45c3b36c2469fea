package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
// so that a host that watches never sees half of it. It returns how long that took.
// What the compiler said is part of the error.
func Build(ctx context.Context, f Found) (time.Duration, error) {
	return timed(f, func(out string) error {
		if err := compile(ctx, f, out); err != nil {
			return err
		}
		return f.finish(out)
	})
}

// compile runs the compiler of the plugin's language, which writes the module out.
func compile(ctx context.Context, f Found, out string) error {
	by, ok := map[Lang]func(ctx context.Context, dir, out string) error{
		Go: buildGo, C: buildC, Rust: buildRust, AssemblyScript: buildAssemblyScript,
	}[f.Lang]
	if !ok {
		return fmt.Errorf("nothing compiles %s", f.Lang)
	}
	return by(ctx, f.Source, out)
}

// run runs a compiler in dir. What it said is part of the error.
func run(ctx context.Context, dir string, env []string, name string, args ...string) (stdout []byte, err error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = time.Second // a compiler that was killed may have left children with its output
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		text := said.Bytes()
		if len(bytes.TrimSpace(text)) == 0 {
			text = out.Bytes()
		}
		return nil, compilerSaid(filepath.Base(name), dir, err, text)
	}
	return out.Bytes(), nil
}

// colour is how a terminal is told to change colours. AssemblyScript's compiler writes
// them into a pipe wherever the environment says CI.
var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")

// compilerSaid is the error of a compiler in its own words, without their colours, and
// err where it has none.
func compilerSaid(name, dir string, err error, said []byte) error {
	dir = short(dir)
	text := strings.TrimSpace(colour.ReplaceAllString(string(said), ""))
	var exit *exec.ExitError
	if text == "" || errors.As(err, &exit) && !exit.Exited() {
		return fmt.Errorf("%s in %s: %w\n%s", name, dir, err, text)
	}
	return fmt.Errorf("%s in %s says:\n%s", name, dir, text)
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

// short is a path for messages: relative when it is below the current folder.
func short(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(wd, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}

// UpToDate brings the file of a plugin up to date with its source, and tells building,
// which may be nil, before it does. Without a toolchain an older file is good enough.
func UpToDate(ctx context.Context, f Found, building func(name string)) error {
	stale, err := f.Stale()
	if err != nil || !stale {
		return err
	}
	if building != nil {
		building(f.Name)
	}
	_, err = Build(ctx, f)
	if errors.Is(err, ErrNoTool) {
		if _, statErr := os.Stat(f.File); statErr == nil {
			return nil
		}
	}
	return err
}
