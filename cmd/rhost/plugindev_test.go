package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPluginDev saves a script while `plugin dev` watches it: each save is in force
// soon, what does not load leaves the version before, and what the plugin logs is
// shown.
func TestPluginDev(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a host")
	}
	app, data := t.TempDir(), t.TempDir()
	write(t, app, "rules/r.yaml", "rule: hit\nwhen: type == \"probe\"\ndo: [{run: p}]\n")
	write(t, app, "plugins/p.lua", `function invoke(call) return {v = 1} end`)
	h := start(t, "run", app, "--data", data, "--listen", "off", "--json")
	h.waitFor(`"ready"`)
	p := start(t, "plugin", "dev", "p", "--app", app, "--data", data)
	p.waitFor("unchanged  p sha256:")

	wrote := time.Now()
	write(t, app, "plugins/p.lua", `function invoke(call) rhost.info("hello from 2") return {v = 2} end`)
	p.waitFor("reloaded   p sha256:")
	t.Logf("save to reloaded: %v", time.Since(wrote))
	inFolder(t, app, "rhost", "emit", "--type", "probe", "--payload", "{}", "--data", data)
	p.waitFor("hello from 2")
	p.waitFor(`{"v":2}`)

	write(t, app, "plugins/p.lua", `function invoke(call`)
	p.waitFor("kept p as before; the change does not load:")
	p.interrupt()
	assert.NotContains(t, p.said(), "error:")

	_, err := os.Stat(filepath.Join(data, "rhost.sock"))
	require.NoError(t, err, "the host goes on")
	var errs bytes.Buffer
	assert.Equal(t, exitUsage, run(t.Context(), []string{"plugin", "activate", "p", "12", "--data", data}, stdio{strings.NewReader(""), &errs, &errs}))
	assert.Contains(t, errs.String(), "give four digits")
	h.interrupt()
}

// TestPluginDevOfSource has a compiler in between: what it says is shown once, with its
// place, and the repaired source is in force soon.
func TestPluginDevOfSource(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a host and a compiler")
	}
	app, data := t.TempDir(), t.TempDir()
	write(t, app, "rhost.yaml", "")
	inFolder(t, app, "rhost", "plugin", "new", "--lang", "c", "p")
	built(t, app, "p")
	h := start(t, "run", app, "--data", data, "--listen", "off", "--json")
	h.waitFor(`"ready"`)
	d := start(t, "plugin", "dev", "p", "--app", app, "--data", data)
	d.waitFor("unchanged  p sha256:")

	text, err := os.ReadFile(filepath.Join(app, "plugins/p/p.c"))
	require.NoError(t, err)
	edit := func(old, repl string) {
		write(t, app, "plugins/p/p.c", strings.Replace(string(text), old, repl, 1))
	}
	edit("names no user", "names nobody")
	d.waitFor("reloaded   p sha256:")
	edit("names no user\"", "names nobody\" + nothing")
	d.waitFor("kept p as before; the change does not build:")
	assert.Contains(t, d.waitFor("error:"), "p.c:12:")
	edit("names no user", "names not one user")
	d.waitFor("reloaded   p sha256:")
	write(t, app, "plugins/p/notes.txt", "no part of the plugin")
	write(t, app, "plugins/p/manifest.yaml", "name: p\nversion: '2'\nabi: rhost.v1\ncapabilities: {emit: {}}\n")
	assert.Contains(t, d.waitFor("p sha256:"), "reloaded", "what is no source changes nothing")
	d.interrupt()
	h.interrupt()
}

// TestSignedHost holds a running host to its policy: what is sent needs a signature by
// the key that signed before, or an operator's word; `plugin dev --key` signs.
func TestSignedHost(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a host")
	}
	app, data, elsewhere := t.TempDir(), t.TempDir(), t.TempDir()
	inFolder(t, app, "rhost", "plugin", "keygen", "team")
	inFolder(t, app, "rhost", "plugin", "keygen", "other")
	write(t, app, "rhost.yaml", "signatures: {keys: [team.pub, other.pub], require: true}\n")
	write(t, app, "plugins/p.lua", `function invoke(call) return {v = 1} end`)
	inFolder(t, app, "rhost", "plugin", "sign", "p", "--key", "team.key")
	h := start(t, "run", app, "--data", data, "--listen", "off", "--json")
	h.waitFor(`"ready"`)

	load := func(args ...string) (int, string) {
		var out, errs bytes.Buffer
		args = append([]string{"plugin", "load", "p", filepath.Join(elsewhere, "p.lua"), "--data", data}, args...)
		return run(t.Context(), args, stdio{strings.NewReader(""), &out, &errs}), out.String() + errs.String()
	}
	write(t, elsewhere, "p.lua", `function invoke(call) return {v = 2} end`)
	code, said := load("--allow")
	assert.Equal(t, exitUsage, code)
	assert.Contains(t, said, "[signature-missing]")
	inFolder(t, elsewhere, "rhost", "plugin", "sign", "p.lua", "--key", filepath.Join(app, "other.key"))
	code, said = load()
	assert.Equal(t, exitUsage, code)
	assert.Contains(t, said, "[signature-rekeyed]")
	code, said = load("--allow")
	assert.Equal(t, exitOK, code, said)

	d := start(t, "plugin", "dev", filepath.Join(app, "plugins/p.lua"), "--data", data, "--key", filepath.Join(app, "other.key"))
	d.waitFor("reloaded   p sha256:")
	write(t, app, "plugins/p.lua", `function invoke(call) return {v = 3} end`)
	d.waitFor("reloaded   p sha256:")
	d.interrupt()
	h.interrupt()
}
