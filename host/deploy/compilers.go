package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

func buildGo(ctx context.Context, dir, out string) error {
	tool, err := exec.LookPath("go")
	if err != nil {
		return noTool("the go command is not installed; install Go 1.26 or newer (https://go.dev/dl), or build the plugin elsewhere and copy its .wasm file here")
	}
	_, err = run(ctx, dir, []string{"GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0"}, tool,
		"build", "-trimpath", "-ldflags=-s -w", "-buildmode=c-shared", "-o", out, ".")
	return err
}

// buildC compiles every .c file of the folder but tests, and links them into one
// module without a libc. The linker is not called by clang, which would run
// whatever wasm-opt is on the path over the result.
func buildC(ctx context.Context, dir, out string) error {
	const install = "install clang and lld 14 or newer (Debian: apt-get install clang lld)"
	clang, err := exec.LookPath("clang")
	if err != nil {
		return noTool("clang is not installed; " + install)
	}
	said, err := run(ctx, dir, nil, clang, "--print-prog-name=wasm-ld")
	if err != nil {
		return err
	}
	linker, err := exec.LookPath(strings.TrimSpace(string(said)))
	if err != nil {
		return noTool("clang has no linker for WebAssembly, wasm-ld; " + install)
	}
	files, err := filesOfC(dir)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return errors.New("the folder holds nothing but tests; the plugin is a .c file whose name neither begins with test_ nor ends with _test.c")
	}
	link := []string{"--no-entry", "--stack-first", "--strip-all", "-z", "stack-size=65536", "-o", out}
	for _, file := range files {
		object := filepath.Join(filepath.Dir(out), file+".o")
		if _, err := run(ctx, dir, nil, clang, "--target=wasm32", "-std=c11", "-O2", "-Wall", "-Wextra",
			"-ffreestanding", "-mbulk-memory", "-nostdlib", "-c", "-o", object, file); err != nil {
			return err
		}
		link = append(link, object)
	}
	_, err = run(ctx, dir, nil, linker, link...)
	return err
}

func filesOfC(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".c" && !IsTestOfC(e.Name()) {
			files = append(files, e.Name())
		}
	}
	return files, nil
}

// IsTestOfC reports whether a file is a test, and no part of the plugin.
func IsTestOfC(name string) bool {
	return strings.HasPrefix(name, "test_") && filepath.Ext(name) == ".c" || strings.HasSuffix(name, "_test.c")
}

const wasmTarget = "wasm32-unknown-unknown"

// buildRust runs cargo and copies the module that it made.
func buildRust(ctx context.Context, dir, out string) error {
	cargo, env, err := rustTools(ctx, dir)
	if err != nil {
		return err
	}
	// A megabyte of stack, which is the default, would have to be restored or
	// given up after every call.
	env = append(env, "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS=-C link-arg=-zstack-size=65536")
	said, err := run(ctx, dir, env, cargo, "build", "--quiet", "--release", "--lib", "--target", wasmTarget, "--message-format=json-render-diagnostics")
	if err != nil {
		return err
	}
	made := ""
	for line := range strings.Lines(string(said)) {
		var artifact struct{ Filenames []string }
		if json.Unmarshal([]byte(line), &artifact) != nil {
			continue
		}
		for _, name := range artifact.Filenames {
			if filepath.Ext(name) == ".wasm" {
				made = name // the last is the plugin: what it depends on comes before it
			}
		}
	}
	if made == "" {
		return errors.New(`cargo made no module; Cargo.toml needs [lib] with crate-type = ["cdylib"]`)
	}
	b, err := os.ReadFile(made)
	if err != nil {
		return err
	}
	return os.WriteFile(out, b, 0o600)
}

// rustTools finds a cargo and a rustc that go together and have the target: those
// on the path, as rustup has them, or the system's.
func rustTools(ctx context.Context, dir string) (cargo string, env []string, err error) {
	const install = "rustup target add " + wasmTarget + " (Debian: apt-get install cargo rustc libstd-rust-dev-wasm32 lld)"
	seen := false
	for _, place := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/bin") {
		cargo, cargoErr := exec.LookPath(filepath.Join(place, "cargo"+exe()))
		rustc, rustcErr := exec.LookPath(filepath.Join(place, "rustc"+exe()))
		if !filepath.IsAbs(place) || cargoErr != nil || rustcErr != nil {
			continue
		}
		seen = true
		root, err := run(ctx, dir, nil, rustc, "--print", "sysroot")
		if err != nil {
			continue // a rustup without a toolchain
		}
		lib := filepath.Join(strings.TrimSpace(string(root)), "lib", "rustlib")
		if _, err := os.Stat(filepath.Join(lib, wasmTarget, "lib")); err != nil {
			continue
		}
		env := []string{"RUSTC=" + rustc}
		if own, err := filepath.Glob(filepath.Join(lib, "*", "bin", "rust-lld*")); err != nil || len(own) == 0 {
			if _, err := exec.LookPath("wasm-ld"); err != nil {
				return "", nil, noTool("Rust has no linker for WebAssembly here; install lld (Debian: apt-get install lld)")
			}
			env = append(env, "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld")
		}
		return cargo, env, nil
	}
	if !seen {
		return "", nil, noTool("cargo is not installed; install Rust from https://rustup.rs, then " + install)
	}
	return "", nil, noTool("Rust is installed without its target for WebAssembly: " + install)
}

func exe() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

// buildAssemblyScript runs asc with the folder's asconfig.json.
func buildAssemblyScript(ctx context.Context, dir, out string) error {
	asc, err := findAsc(dir)
	if err != nil {
		return err
	}
	_, err = run(ctx, dir, nil, asc, "--outFile", out)
	if _, nodeErr := exec.LookPath("node"); err != nil && nodeErr != nil {
		return noTool("node, which runs the AssemblyScript compiler, is not installed; install Node.js 20 or newer")
	}
	return err
}

// findAsc finds the compiler that npm installed in the folder or one above it, or
// the one on the path.
func findAsc(dir string) (string, error) {
	at, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for {
		if asc, err := exec.LookPath(filepath.Join(at, "node_modules", ".bin", "asc")); err == nil {
			return asc, nil
		}
		above := filepath.Dir(at)
		if above == at {
			break
		}
		at = above
	}
	asc, err := exec.LookPath("asc")
	if err != nil {
		return "", noTool("the AssemblyScript compiler is not installed; run `npm install` in " + short(dir) + " (npm comes with Node.js, 20 or newer)")
	}
	return asc, nil
}
