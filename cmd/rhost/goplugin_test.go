package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestGoPluginFromNothing goes an author's way: a new plugin in an empty app, its
// own test, the build, one call, a running host, an edit, another build.
func TestGoPluginFromNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("builds Go plugins")
	}
	app := t.TempDir()
	write(t, app, "rhost.yaml", "sources: {tick: {schedule: {every: 100ms, type: user.login, data: {user: anna}}}}\nplugins: {greet: {limits: {deadline: 10s}}}\n")
	write(t, app, "rules/r.yaml", "rule: greet\nwhen: type == \"user.login\"\ndo: [{run: greet}]\n")
	rhost := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "rhost", args...)
		cmd.Dir = app
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "rhost %s:\n%s", strings.Join(args, " "), out)
		return string(out)
	}
	assert.Contains(t, rhost("plugin", "new", "--lang", "go", "greet"), "made plugins/greet/main.go")
	test := exec.CommandContext(t.Context(), "go", "test", "./...")
	test.Dir = filepath.Join(app, "plugins", "greet")
	out, err := test.CombinedOutput()
	require.NoError(t, err, "the new plugin's own test:\n%s", out)

	assert.Contains(t, rhost("plugin", "build", "greet"), "built")
	said := rhost("plugin", "run", "greet", "-e", "plugins/greet/event.json")
	assert.Contains(t, said, "greet.done")
	assert.Regexp(t, `asks for +emit\n`, rhost("plugin", "inspect", "greet"))

	p := start(t, "run", app, "--listen", "off", "--json")
	p.waitFor(`"out":{"rule":"greet","user":"anna"}`)
	source := filepath.Join(app, "plugins", "greet", "main.go")
	text, err := os.ReadFile(source)
	require.NoError(t, err)
	write(t, app, "plugins/greet/main.go", strings.Replace(string(text), `"rule": c.Match.Rule()`, `"edited": true`, 1))
	wrote := time.Now()
	rhost("plugin", "build", "greet")
	p.waitFor(`"edited":true`)
	t.Logf("built and in force after %v", time.Since(wrote))
	assert.Contains(t, p.said(), "reloaded plugin greet")
	p.interrupt()
}
