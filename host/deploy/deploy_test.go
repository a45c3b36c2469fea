package deploy_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/lua"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	full := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
	require.NoError(t, os.WriteFile(full, []byte(text), 0o600))
	return full
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"b.lua", "a.js", "c.wasm", "go/main.go", "rust/Cargo.toml", "rust/x.c", "cee/cee.c", "as/asconfig.json", "as2/package.json",
		"deep/deep.js", "built/built.wasm", "README.md", "types.d.ts", ".hidden.lua", "_off/x.txt", "_off.lua",
	} {
		write(t, dir, name, `{"devDependencies": {"assemblyscript": "1"}}`)
	}
	found, err := deploy.Find(dir)
	require.NoError(t, err)
	built := func(name string, lang deploy.Lang) deploy.Found {
		return deploy.Found{Name: name, Kind: deploy.Wasm, File: filepath.Join(dir, name, name+".wasm"), Source: filepath.Join(dir, name), Lang: lang}
	}
	assert.Equal(t, []deploy.Found{
		{Name: "a", Kind: deploy.JS, File: filepath.Join(dir, "a.js")},
		built("as", deploy.AssemblyScript),
		built("as2", deploy.AssemblyScript),
		{Name: "b", Kind: deploy.Lua, File: filepath.Join(dir, "b.lua")},
		{Name: "built", Kind: deploy.Wasm, File: filepath.Join(dir, "built/built.wasm")},
		{Name: "c", Kind: deploy.Wasm, File: filepath.Join(dir, "c.wasm")},
		built("cee", deploy.C),
		{Name: "deep", Kind: deploy.JS, File: filepath.Join(dir, "deep/deep.js")},
		built("go", deploy.Go),
		built("rust", deploy.Rust),
	}, found)

	found, err = deploy.Find(filepath.Join(dir, "none"))
	assert.NoError(t, err)
	assert.Empty(t, found)
	_, err = deploy.Find(filepath.Join(dir, "b.lua"))
	assert.ErrorContains(t, err, "read plugins: ")
}

// The folder of an app may have any name.
func TestFindInOddFolders(t *testing.T) {
	for _, name := range []string{"a[b", "[x]", "a*b", "a?b", `a\b`, "with space"} {
		dir := filepath.Join(t.TempDir(), name)
		source := write(t, dir, "p/main.go", "package main")
		found, err := deploy.Find(dir)
		require.NoError(t, err, name)
		require.Len(t, found, 1, name)
		assert.Equal(t, filepath.Dir(source), found[0].Source, name)
		write(t, dir, "p/p.wasm", "")
		require.NoError(t, os.Chtimes(found[0].File, time.Time{}, time.Now().Add(-time.Hour)))
		stale, err := found[0].Stale()
		require.NoError(t, err, name)
		assert.True(t, stale, name)
	}
}

func TestFindProblems(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"twice.lua", "twice.js", "later.ts", "later.star", "empty/notes.txt", "both/both.js", "both/both.lua"} {
		write(t, dir, name, "")
	}
	_, err := deploy.Find(dir)
	for _, want := range []string{
		"plugin twice: both ", "twice.js and ", "rename one of them", "ts plugins are not supported yet", "star plugins are not supported yet",
		"the folder holds neither source (go.mod, Cargo.toml, asconfig.json, *.c) nor empty.wasm, .lua or .js", "both.js are in the folder",
	} {
		assert.ErrorContains(t, err, want)
	}
}

func TestStale(t *testing.T) {
	dir := t.TempDir()
	source := write(t, dir, "p/main.go", "package main")
	notes := write(t, dir, "p/notes.md", "")
	found, err := deploy.Find(dir)
	require.NoError(t, err)
	f := found[0]
	check := func(want bool, why string) {
		t.Helper()
		got, err := f.Stale()
		require.NoError(t, err)
		assert.Equal(t, want, got, why)
	}
	check(true, "never built")
	built := write(t, dir, "p/p.wasm", "")
	now := time.Now()
	for _, name := range []string{source, notes, built} {
		require.NoError(t, os.Chtimes(name, now, now))
	}
	check(false, "as old as its source")
	require.NoError(t, os.Chtimes(notes, now, now.Add(time.Minute)))
	check(false, "notes are no source")
	require.NoError(t, os.Chtimes(source, now, now.Add(time.Minute)))
	check(true, "edited since")
	require.NoError(t, os.Chtimes(source, now, now))
	for _, made := range []string{"p/node_modules/x/y.go", "p/.cache/y.go", "p/target/y.go"} {
		require.NoError(t, os.Chtimes(write(t, dir, made, ""), now, now.Add(time.Minute)))
	}
	check(false, "what tools made is no source")
	require.NoError(t, os.Chtimes(write(t, dir, "p/inner/y.go", ""), now, now.Add(time.Minute)))
	check(true, "a package below was edited")
	got, err := deploy.Found{Name: "x", File: "none"}.Stale()
	assert.NoError(t, err)
	assert.False(t, got, "without source")
}

func TestBuildWithoutTools(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "p/main.go", "package main")
	found, err := deploy.Find(dir)
	require.NoError(t, err)
	t.Setenv("PATH", "")
	_, err = deploy.Build(t.Context(), found[0])
	assert.ErrorIs(t, err, deploy.ErrNoTool)
	assert.ErrorContains(t, err, "build p: ")
	_, err = deploy.Build(t.Context(), deploy.Found{Name: "q", File: filepath.Join(dir, "q.lua")})
	assert.ErrorContains(t, err, "holds no source")

	// A plugin that was never built cannot be loaded; one that was, can.
	p := newPlugins(t, dir)
	_, err = p.Load(t.Context())
	assert.ErrorIs(t, err, deploy.ErrNoTool)
	require.NoError(t, os.Chtimes(write(t, dir, "p/p.wasm", "not wasm"), time.Time{}, time.Now().Add(-time.Hour)))
	_, err = p.Load(t.Context())
	assert.NotErrorIs(t, err, deploy.ErrNoTool)
	assert.ErrorContains(t, err, "no engine runs wasm plugins", "it came as far as its engine")
}

func TestBuildThatFails(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the Go compiler")
	}
	dir := t.TempDir()
	write(t, dir, "p/go.mod", "module p\n\ngo 1.24\n")
	write(t, dir, "p/main.go", "package main\n\nfunc main() { undefined() }\n")
	old := write(t, dir, "p/p.wasm", "the version before")
	found, err := deploy.Find(dir)
	require.NoError(t, err)
	_, err = deploy.Build(t.Context(), found[0])
	assert.ErrorContains(t, err, "undefined: undefined")
	text, err := os.ReadFile(old)
	require.NoError(t, err)
	assert.Equal(t, "the version before", string(text))
	left, err := filepath.Glob(filepath.Join(dir, "p", ".build-*"))
	require.NoError(t, err)
	assert.Empty(t, left, "nothing is left behind")
}

func newPlugins(t *testing.T, dir string) *deploy.Plugins {
	t.Helper()
	engine, err := lua.New(lua.Options{})
	require.NoError(t, err)
	p, err := deploy.NewPlugins(dir, deploy.Options{Engines: map[deploy.Kind]sandbox.Engine{deploy.Lua: engine}, Spares: 1})
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, p.Close(context.Background()))
		assert.NoError(t, p.Close(context.Background()), "a second close does nothing")
		assert.NoError(t, engine.Close(context.Background()))
	})
	return p
}

// call runs a plugin and returns its output.
func call(t *testing.T, p *deploy.Plugins, name string) string {
	t.Helper()
	slot, ok := p.Slot(name)
	require.True(t, ok, name)
	reply, _, err := slot.Call(t.Context(), &abi.Call{}, sandbox.NewSession(sandbox.Services{}, nil, sandbox.Limits{}))
	require.NoError(t, err)
	return string(reply.Output)
}

func TestReload(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "p.lua", "function invoke() return 1 end")
	write(t, dir, "bad.lua", "function invoke(")
	p := newPlugins(t, dir)
	changes, err := p.Load(t.Context())
	assert.ErrorContains(t, err, "bad", "every problem is reported")
	require.Len(t, changes, 1, "and the others are loaded")
	assert.Empty(t, changes[0].Old)
	assert.Equal(t, "1", call(t, p, "p"))
	require.Len(t, p.Loaded(), 1)

	reload := func() (deploy.Change, error) {
		found, err := p.Changed([]string{filepath.Join(dir, ".", "p.lua"), "elsewhere"})
		require.NoError(t, err)
		require.Len(t, found, 1)
		return p.Reload(t.Context(), found[0])
	}
	change, err := reload()
	require.NoError(t, err)
	assert.Equal(t, change.Old, change.New, "nothing was changed")
	write(t, dir, "p.lua", "function invoke() return 2 end")
	change, err = reload()
	require.NoError(t, err)
	assert.Equal(t, changes[0].New, change.Old)
	assert.Equal(t, "2", call(t, p, "p"))
	write(t, dir, "p.lua", "function invoke() return 3")
	_, err = reload()
	assert.ErrorContains(t, err, "p.lua")
	assert.Equal(t, "2", call(t, p, "p"), "the version before goes on")

	require.NoError(t, os.Remove(file))
	found, err := p.Changed([]string{file})
	assert.NoError(t, err)
	assert.Empty(t, found, "a file that is gone leaves its plugin as it was")
	assert.Equal(t, "2", call(t, p, "p"))

	require.NoError(t, os.Mkdir(file, 0o755))
	_, err = p.Reload(t.Context(), deploy.Found{Name: "p", Kind: deploy.Lua, File: file})
	assert.ErrorContains(t, err, "not a regular file")
	large := filepath.Join(dir, "large.lua")
	f, err := os.Create(large)
	require.NoError(t, err)
	require.NoError(t, errors.Join(f.Truncate(33<<20), f.Close()))
	_, err = p.Reload(t.Context(), deploy.Found{Name: "large", Kind: deploy.Lua, File: large})
	assert.ErrorContains(t, err, "a plugin may have")
}

func TestVersionThatCannotBeKept(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "p.lua", "function invoke() return 1 end")
	engine, err := lua.New(lua.Options{})
	require.NoError(t, err)
	defer engine.Close(t.Context()) //nolint:errcheck // the test is over
	full := errors.New("the disk is full")
	p, err := deploy.NewPlugins(dir, deploy.Options{
		Engines: map[deploy.Kind]sandbox.Engine{deploy.Lua: engine},
		Keep:    func(context.Context, string, []byte) error { return full },
	})
	require.NoError(t, err)
	_, err = p.Load(t.Context())
	assert.ErrorIs(t, err, full)
	_, ok := p.Slot("p")
	assert.False(t, ok)
}

// watcher collects what Watch reports.
type watcher struct {
	t  *testing.T
	mu sync.Mutex
	at []string // guarded by mu
}

func watch(t *testing.T, dirs ...string) *watcher {
	t.Helper()
	w := &watcher{t: t}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- deploy.Watch(ctx, dirs, time.Now(), func(files []string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.at = append(w.at, files...)
		})
	}()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-ended)
	})
	probe := filepath.Join(dirs[0], "probe")
	w.until(probe, func() { write(t, dirs[0], "probe", "x") }) // it watches from here on
	return w
}

// until calls change until name was reported.
func (w *watcher) until(name string, change func()) {
	w.t.Helper()
	require.Eventually(w.t, func() bool {
		if change != nil {
			change()
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		return slices.Contains(w.at, name)
	}, 20*time.Second, 100*time.Millisecond, "%s was not reported", name)
}

func TestWatch(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "rules"), filepath.Join(dir, "plugins")
	require.NoError(t, os.MkdirAll(filepath.Join(second, "p"), 0o755))
	require.NoError(t, os.MkdirAll(first, 0o755))
	w := watch(t, first, second, filepath.Join(dir, "none"))

	w.until(write(t, second, "p/p.wasm", "x"), nil)
	name := filepath.Join(first, "r.yaml") // as editors do it
	require.NoError(t, os.Rename(write(t, first, ".r.yaml.swp", "x"), name))
	w.until(name, nil)
	w.mu.Lock()
	w.at = nil
	w.mu.Unlock()
	require.NoError(t, os.Remove(name))
	w.until(name, nil)

	// A folder made elsewhere and moved here is complete at once.
	ready := filepath.Join(dir, "ready")
	write(t, ready, "deep/q.wasm", "x")
	require.NoError(t, os.Rename(ready, filepath.Join(second, "q")))
	w.until(filepath.Join(second, "q", "deep", "q.wasm"), nil)
	w.until(write(t, second, "q/deep/later.wasm", "x"), nil)

	// What compilers and package managers write is no change of the author's; a folder
	// that only bears such a name is.
	write(t, second, "rs/Cargo.toml", "")
	require.NoError(t, os.MkdirAll(filepath.Join(second, "rs/target/release"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(second, "node_modules/x"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(first, "target"), 0o755))
	w.until(write(t, first, "target/r.yaml", "x"), nil)
	made := []string{write(t, second, "rs/target/release/x.rs", "x"), write(t, second, "node_modules/x/x.ts", "x")}
	w.until(write(t, second, "rs/lib.rs", "x"), nil)

	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range w.at {
		assert.NotContains(t, made, name)
		assert.False(t, strings.HasPrefix(filepath.Base(name), "."), "%s is hidden", name)
	}
}
