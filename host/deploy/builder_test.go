package deploy_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/deploy"
)

// countingAsc stands in for the compiler as a library: its modules say how many builds
// this process has done. What the source says, it does.
const countingAsc = `
import fs from "node:fs";
let n = 0;
export async function main(args, { stderr }) {
  const text = fs.readFileSync("index.ts", "utf8");
  if (text.includes("exit")) process.exit(3);
  if (text.includes("hang")) await new Promise((r) => setTimeout(r, 60000));
  if (text.includes("wrong")) {
    stderr.write("ERROR TS1: " + "very ".repeat(50000) + "wrong");
    return { error: Error("1 compile error(s)") };
  }
  if (text.includes("crash")) return { error: Error("unreachable") };
  if (text.includes("throw")) throw Error("unreachable");
  if (text.includes("fat")) process.memoryUsage = () => ({ rss: 2 ** 31 });
  console.log("a plugin of the compiler prints");
  fs.writeFileSync(args[args.indexOf("--outFile") + 1], "kept " + ++n);
  return { error: null };
}`

// countingPlugin is a plugin whose folder has that compiler, and a command that writes
// another module.
func countingPlugin(t *testing.T) (dir string, f deploy.Found) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is needed")
	}
	dir = t.TempDir()
	write(t, dir, "p/asconfig.json", "{}")
	write(t, dir, "p/index.ts", "")
	write(t, dir, "p/node_modules/assemblyscript/package.json", `{"type": "module"}`)
	write(t, dir, "p/node_modules/assemblyscript/dist/asc.js", countingAsc)
	command := write(t, dir, "p/node_modules/assemblyscript/bin/asc.js", "#!/bin/sh\nprintf plain >\"$2\"\n")
	require.NoError(t, os.Chmod(command, 0o700))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "p/node_modules/.bin"), 0o755))
	require.NoError(t, os.Symlink("../assemblyscript/bin/asc.js", filepath.Join(dir, "p/node_modules/.bin/asc")))
	found, err := deploy.Find(dir)
	require.NoError(t, err)
	require.Equal(t, deploy.AssemblyScript, found[0].Lang)
	return dir, found[0]
}

// TestBuilderKeepsCompiler builds one thing after another, and tells by the module
// which process has made it.
func TestBuilderKeepsCompiler(t *testing.T) {
	dir, f := countingPlugin(t)
	var b deploy.Builder
	defer b.Close()
	step := func(name, source, want string) {
		t.Helper()
		write(t, dir, "p/index.ts", source)
		_, err := b.Build(t.Context(), f)
		require.NoError(t, err, name)
		made, err := os.ReadFile(f.File)
		require.NoError(t, err)
		assert.Equal(t, want, string(made), name)
	}
	step("a first build", "", "kept 1")
	step("the compiler stays", "", "kept 2")

	write(t, dir, "p/index.ts", "wrong")
	_, err := b.Build(t.Context(), f)
	require.ErrorContains(t, err, "ERROR TS1: very")
	assert.Less(t, len(err.Error()), 512<<10, "what a compiler says is bounded")
	step("an error of the source is no reason to start anew", "", "kept 3")

	for _, why := range []string{"crash", "throw", "exit"} {
		step("a compiler that breaks, the command stands in for", why, "plain")
		step("the next build has a new one", "", "kept 1")
	}
	step("a process that has grown does its work", "fat", "kept 2")
	step("and is given up", "", "kept 1")

	later := time.Now().Add(time.Minute)
	require.NoError(t, os.Chtimes(filepath.Join(f.Source, "node_modules/assemblyscript/dist/asc.js"), later, later))
	step("another compiler is installed", "", "kept 1")

	write(t, dir, "p/asconfig.json", `{"options": {"transform": ["./mine.mjs"]}}`)
	step("code of the author's in the compiler may have changed", "", "plain")
	write(t, dir, "p/asconfig.json", "{}")

	b.Close()
	step("it can be used after Close", "", "kept 1")
	require.NoError(t, os.Remove(f.File))
	require.NoError(t, b.Warm(t.Context(), f))
	assert.NoFileExists(t, f.File)
	step("warming up is building", "", "kept 4")
}

// A build that is given up ends the process, and the next one has its own.
func TestBuilderIsInterrupted(t *testing.T) {
	dir, f := countingPlugin(t)
	var b deploy.Builder
	defer b.Close()
	write(t, dir, "p/index.ts", "hang")
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := b.Build(ctx, f)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	write(t, dir, "p/index.ts", "")
	_, err = b.Build(t.Context(), f)
	require.NoError(t, err)
	left, err := filepath.Glob(filepath.Join(f.Source, ".build-*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

// Without node, and without the compiler as a library, the command does the work;
// without the command, the error says what to install.
func TestBuilderWithoutCompiler(t *testing.T) {
	_, f := countingPlugin(t)
	sh, err := exec.LookPath("sh")
	require.NoError(t, err)
	t.Setenv("PATH", "")
	require.NoError(t, os.WriteFile(filepath.Join(f.Source, "node_modules/assemblyscript/bin/asc.js"), []byte("#!"+sh+"\nprintf plain >\"$2\"\n"), 0o700))
	var b deploy.Builder
	defer b.Close()
	_, err = b.Build(t.Context(), f)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(f.Source, "node_modules/assemblyscript/bin/asc.js"), []byte("#!"+sh+"\nexit 127\n"), 0o700))
	_, err = b.Build(t.Context(), f)
	assert.ErrorIs(t, err, deploy.ErrNoTool)
	assert.ErrorContains(t, err, "install Node.js")
	require.NoError(t, os.RemoveAll(filepath.Join(f.Source, "node_modules")))
	_, err = b.Build(t.Context(), f)
	assert.ErrorIs(t, err, deploy.ErrNoTool)
	assert.ErrorContains(t, err, "npm install")
}

// TestBuilderMakesWhatBuildMakes has the real compiler: a module does not depend on
// how long its compiler was kept, and an error reads the same.
func TestBuilderMakesWhatBuildMakes(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a compiler")
	}
	modules, err := filepath.Abs("../../sdk/assemblyscript/node_modules")
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(modules, ".bin/asc")); err != nil {
		t.Skip("the AssemblyScript compiler is needed: npm install in sdk/assemblyscript")
	}
	app := t.TempDir()
	require.NoError(t, os.Symlink(modules, filepath.Join(app, "node_modules")))
	dir := filepath.Join(app, "plugins")
	write(t, dir, "p/asconfig.json", `{"entries": ["assembly/index.ts"], "options": {"optimizeLevel": 1, "runtime": "stub"}}`)
	t.Setenv("CI", "true") // which makes the compiler colour what it says
	source := write(t, dir, "p/assembly/index.ts", "export function twice(n: i32): string { return (2 * n).toString(); }\n")
	found, err := deploy.Find(dir)
	require.NoError(t, err)
	f := found[0]
	var b deploy.Builder
	defer b.Close()
	var made [2]string
	for i, build := range []func(context.Context, deploy.Found) (time.Duration, error){deploy.Build, b.Build} {
		took, err := build(t.Context(), f)
		require.NoError(t, err)
		t.Logf("build %d: %v", i, took)
		module, err := os.ReadFile(f.File)
		require.NoError(t, err)
		made[i] = string(module)
	}
	assert.True(t, strings.HasPrefix(made[0], "\x00asm"))
	assert.True(t, made[0] == made[1], "the modules differ")

	require.NoError(t, os.WriteFile(source, []byte("export function twice(n: i32): i32 { return m; }\n"), 0o600))
	_, err = b.Build(t.Context(), f)
	require.ErrorContains(t, err, "build p: asc in ")
	assert.ErrorContains(t, err, "ERROR TS2304: Cannot find name 'm'.")
	assert.ErrorContains(t, err, "assembly/index.ts(1,45)")
}

// TestDependsOn tells what a plugin is made of from what lies beside it.
func TestDependsOn(t *testing.T) {
	script := deploy.Found{Name: "p", Kind: deploy.Lua, File: "/app/plugins/p/p.lua"}
	module := deploy.Found{Name: "p", Kind: deploy.Wasm, File: "/app/plugins/p.wasm"}
	source := func(lang deploy.Lang) deploy.Found {
		return deploy.Found{Name: "p", Kind: deploy.Wasm, File: "/app/plugins/p/p.wasm", Source: "/app/plugins/p", Lang: lang}
	}
	for _, c := range []struct {
		f    deploy.Found
		name string
		want bool
	}{
		{script, "/app/plugins/p/p.lua", true},
		{script, "/app/plugins/p/manifest.yaml", true},
		{script, "/app/plugins/p/tests/p.yaml", false},
		{module, "/app/plugins/p.wasm", true},
		{module, "/app/plugins/p.manifest.yaml", false},
		{source(deploy.Go), "/app/plugins/p/main.go", true},
		{source(deploy.Go), "/app/plugins/p/rhost-sdk/sdk/guest/call.go", true},
		{source(deploy.Go), "/app/plugins/p/plugin.yaml", true},
		{source(deploy.Go), "/app/plugins/p/tests/plugin.yaml", false},
		{source(deploy.Go), "/app/plugins/p/p.wasm", false},
		{source(deploy.Go), "/app/plugins/p/event.json", false},
		{source(deploy.Go), "/app/plugins/q/main.go", false},
		{source(deploy.Rust), "/app/plugins/p/src/lib.rs", true},
		{source(deploy.Rust), "/app/plugins/p/target/release/build/x/out.rs", false},
		{source(deploy.AssemblyScript), "/app/plugins/p/assembly/index.ts", true},
		{source(deploy.AssemblyScript), "/app/plugins/p/node_modules/x/index.ts", false},
		{source(deploy.C), "/app/plugins/p/p.h", true},
	} {
		assert.Equal(t, c.want, c.f.DependsOn(filepath.FromSlash(c.name)), "%s %s", c.f.Lang, c.name)
	}
}

// A manifest may come while a plugin is worked on, and go.
func TestRenewed(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "s.lua", "")
	write(t, dir, "p/p.c", "")
	found, err := deploy.Find(dir)
	require.NoError(t, err)
	about := []string{filepath.Join(dir, "p/manifest.yaml"), filepath.Join(dir, "s.manifest.yaml")}
	for i, f := range found {
		require.NoError(t, os.WriteFile(about[i], []byte("abi: rhost.v1\n"), 0o600))
		f, err = f.Renewed()
		require.NoError(t, err)
		assert.Equal(t, about[i], f.Manifest)
		require.NoError(t, os.Remove(about[i]))
		f, err = f.Renewed()
		require.NoError(t, err)
		assert.Empty(t, f.Manifest)
	}
	write(t, dir, "p/manifest.yaml", "")
	write(t, dir, "p/plugin.yaml", "")
	_, err = found[0].Renewed()
	assert.ErrorContains(t, err, "keep one")
}
