package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// rhostIn runs rhost in a folder.
func rhostIn(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "rhost", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NO_COLOR=1", "CARGO_NET_OFFLINE=true", "PATH="+pathWithAsc(t))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// pathWithAsc is the path with the AssemblyScript compiler that the SDK's own tests
// use, where it is installed.
func pathWithAsc(t *testing.T) string {
	t.Helper()
	asc, err := filepath.Abs("../../sdk/assemblyscript/node_modules/.bin")
	require.NoError(t, err)
	return os.Getenv("PATH") + string(os.PathListSeparator) + asc
}

// built builds a plugin, or skips the test for want of a tool.
func built(t *testing.T, dir, plugin string) {
	t.Helper()
	out, err := rhostIn(t, dir, "plugin", "build", plugin)
	if err != nil && (strings.Contains(out, "is not installed") || strings.Contains(out, "no linker") || strings.Contains(out, "without its target")) {
		t.Skip(strings.TrimSpace(out))
	}
	require.NoError(t, err, out)
}

// upToDate builds an example of an SDK if it or the SDK is newer than what was
// built.
func upToDate(t *testing.T, dir string) {
	t.Helper()
	last, err := os.Stat(filepath.Join(dir, filepath.Base(dir)+".wasm"))
	stale := err != nil
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, "../.."), func(name string, d fs.DirEntry, err error) error {
		if err != nil || stale || d.IsDir() {
			if err == nil && (d.Name() == "target" || d.Name() == "node_modules") {
				return fs.SkipDir
			}
			return err
		}
		info, err := d.Info()
		stale = slices.Contains([]string{".go", ".rs", ".c", ".h", ".ts", ".toml", ".json"}, filepath.Ext(name)) && err == nil && info.ModTime().After(last.ModTime())
		return err
	}))
	if stale {
		built(t, filepath.Dir(dir), filepath.Base(dir))
	}
}

// TestPluginsFromNothing goes an author's way in every language: a new plugin in an
// empty folder, the build, its tests, one call.
func TestPluginsFromNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("runs compilers")
	}
	for _, lang := range languages() {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			dir, name := t.TempDir(), "first-"+lang
			must := func(args ...string) string {
				t.Helper()
				out, err := rhostIn(t, dir, args...)
				require.NoError(t, err, "rhost %s:\n%s", strings.Join(args, " "), out)
				return out
			}
			assert.Contains(t, must("plugin", "new", "--lang", lang, name), "next: ")
			built(t, dir, name)
			tested := must("plugin", "test", name)
			assert.Contains(t, tested, "ok      says whose login it was")
			assert.Contains(t, tested, "ok      needs a user")
			ran := must("plugin", "run", name, "-e", name+"/event.json")
			assert.Contains(t, ran, name+`.done {"user":"anna"}`)
			if lang != "js" && lang != "lua" {
				assert.Regexp(t, `asks for +emit\n`, must("plugin", "inspect", name))
			}

			// What a test wants and does not get is shown.
			tests := filepath.Join(name, "tests", name+".yaml")
			text, err := os.ReadFile(filepath.Join(dir, tests))
			require.NoError(t, err)
			write(t, dir, tests, strings.Replace(string(text), "rule: test}", "rule: other}", 1))
			said, err := rhostIn(t, dir, "plugin", "test", "--fixtures", name)
			require.Error(t, err)
			assert.Contains(t, said, `-     "rule": "other"`)
			assert.Contains(t, said, `+     "rule": "test"`)
			assert.Contains(t, said, "1 of 2 fixtures of "+name+" failed")
		})
	}
}

// TestExamplesOfSDKs holds the two examples that every SDK has to the same
// fixtures, in the real engine.
func TestExamplesOfSDKs(t *testing.T) {
	if testing.Short() {
		t.Skip("runs compilers")
	}
	for _, kit := range []string{"guest", "c", "rust", "assemblyscript", "js", "lua"} {
		for _, example := range []string{"lockaccount", "burst"} {
			t.Run(kit+"/"+example, func(t *testing.T) {
				t.Parallel()
				source, err := filepath.Abs(filepath.Join("../../sdk", kit, "examples", example))
				require.NoError(t, err)
				fixtures, err := os.ReadFile(filepath.Join("../../sdk/conformance/testdata", example+".yaml"))
				require.NoError(t, err)
				dir, file := t.TempDir(), example+".wasm"
				if kit == "js" || kit == "lua" {
					file = example + "." + kit
					// They see their settings without asking.
					fixtures = []byte(strings.Split(string(fixtures), "---\nname: waits where")[0])
				} else {
					upToDate(t, source)
				}
				plugin, err := os.ReadFile(filepath.Join(source, file))
				require.NoError(t, err)
				write(t, dir, file, string(plugin))
				write(t, dir, example+".test.yaml", string(fixtures))
				out, err := rhostIn(t, dir, "plugin", "test", "--fixtures", file)
				require.NoError(t, err, out)
			})
		}
	}
}
