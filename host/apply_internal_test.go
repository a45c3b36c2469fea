package host

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/api"
)

func (l *liveHost) apply(b Bundle) (Applied, error) {
	l.t.Helper()
	body, err := json.Marshal(b)
	require.NoError(l.t, err)
	raw, err := backend{l.Host}.Apply(l.t.Context(), body)
	var a Applied
	if err == nil {
		require.NoError(l.t, json.Unmarshal(raw, &a))
	}
	return a, err
}

func bundle(files map[string]string) Bundle {
	b := Bundle{Files: make(map[string][]byte)}
	for name, text := range files {
		b.Files[name] = []byte(text)
	}
	return b
}

func applyApp(t *testing.T) *testApp {
	t.Helper()
	return newApp(t, map[string]string{
		"rules/r.yaml":  "rule: r\nwhen: type == \"t\"\ndo: [{run: p}]\n",
		"plugins/p.lua": "function invoke() return 1 end",
	})
}

func (a *testApp) read(name string) string {
	a.t.Helper()
	text, err := os.ReadFile(filepath.Join(a.dir, name))
	require.NoError(a.t, err)
	return string(text)
}

func TestApply(t *testing.T) {
	app := applyApp(t)
	l := app.start()
	b := bundle(map[string]string{
		"rules/r.yaml":     "rule: r\nwhen: type == \"t\" && data.x in table.list\ndo: [{run: p}, {run: q}]\n",
		"tables/list.json": `["a"]`,
		"plugins/p.lua":    "function invoke() return 2 end",
		"plugins/q.lua":    "function invoke() return 3 end",
	})
	b.Try = true
	a, err := l.apply(b)
	require.NoError(t, err)
	assert.False(t, a.Done)
	assert.Equal(t, []FileChange{{"plugins/p.lua", "change"}, {"plugins/q.lua", "add"}, {"rules/r.yaml", "change"}, {"tables/list.json", "add"}}, a.Files)
	assert.Equal(t, "~r +tables/list.json 0 unchanged", strings.Join(strings.Fields(a.Rules), " "))
	assert.Equal(t, "function invoke() return 1 end", app.read("plugins/p.lua"), "a dry run changes nothing")

	b.Try = false
	a, err = l.apply(b)
	require.NoError(t, err)
	assert.True(t, a.Done)
	l.send(ev("t", 1, `{"x":"a"}`), ev("t", 2, `{"x":"b"}`))
	l.settle()
	assert.Equal(t, []string{"2", "3"}, l.outputs("r"))
	a, err = l.apply(b)
	require.NoError(t, err)
	assert.Empty(t, a.Files, "it is there already")
	assert.NoFileExists(t, filepath.Join(app.data, "apply.json"))

	a, err = l.apply(Bundle{Prune: true, Files: map[string][]byte{
		"rules/r.yaml": []byte("rule: r\nwhen: type == \"t\"\ndo: [{run: p}]\n"), "plugins/p.lua": b.Files["plugins/p.lua"],
	}})
	require.NoError(t, err)
	assert.Equal(t, []FileChange{{"rules/r.yaml", "change"}, {"plugins/q.lua", "remove"}, {"tables/list.json", "remove"}}, a.Files)
	assert.NoFileExists(t, filepath.Join(app.dir, "plugins/q.lua"))
}

// Nothing of a bundle comes into force when any of it is wrong, and every problem
// is named.
func TestApplyAllOrNothing(t *testing.T) {
	app := applyApp(t)
	l := app.start()
	_, err := l.apply(bundle(map[string]string{
		"rules/r.yaml":  "rule: r\nwhen: type ==\n",
		"plugins/p.lua": "function invoke() return 2 end",
		"plugins/q.lua": "function invoke(",
	}))
	require.ErrorIs(t, err, api.ErrInvalid)
	assert.ErrorContains(t, err, "rules/r.yaml:2")
	assert.ErrorContains(t, err, "q.lua")
	_, err = l.apply(bundle(map[string]string{"rules/s.yaml": "rule: s\nwhen: type == \"t\"\ndo: [{run: nobody}]\n"}))
	assert.ErrorContains(t, err, "nobody")
	assert.Equal(t, "function invoke() return 1 end", app.read("plugins/p.lua"))
	l.send(ev("t", 1, `{}`))
	l.settle()
	assert.Equal(t, []string{"1"}, l.outputs("r"))
}

func TestApplyRefusesNames(t *testing.T) {
	l := applyApp(t).start()
	for _, name := range []string{
		"", "rhost.yaml", "rules", "rules/", "/rules/x.yaml", "../x", "rules/../../x", "rules/a/b.yaml", "rules/.x.yaml", "plugins/.build/x.wasm",
		`rules\x.yaml`, "plugins/p/../../x.lua", "data/x", "plugins//x.lua",
	} {
		_, err := l.apply(bundle(map[string]string{name: "x"}))
		assert.ErrorIs(t, err, api.ErrInvalid, "%q", name)
		assert.ErrorContains(t, err, fmt.Sprintf("%q", name))
	}
	_, err := backend{l.Host}.Apply(t.Context(), []byte(`{"files":`))
	assert.ErrorIs(t, err, api.ErrInvalid)
	_, err = l.apply(Bundle{Files: map[string][]byte{"tables/x.txt": make([]byte, maxBundle+1)}})
	assert.ErrorContains(t, err, "at most")
}

// A crash in the middle leaves the folder half written; the next start finishes it,
// before it reads anything.
func TestApplyIsFinishedAfterACrash(t *testing.T) {
	app := applyApp(t)
	app.write("tables/old.txt", "x")
	rules := "rule: r\nwhen: type == \"t\"\ndo: [{run: q}]\n"
	r := redo{app: app.dir, data: app.data}
	require.NoError(t, r.begin([]FileChange{{"tables/old.txt", "remove"}, {"plugins/q.lua", "add"}, {"rules/r.yaml", "change"}}, map[string][]byte{
		"rules/r.yaml": []byte(rules), "plugins/q.lua": []byte("function invoke() return 4 end"),
	}))
	app.write("rules/r.yaml", rules) // and here it crashed: its plugin is not there yet

	_, err := Check(t.Context(), Options{App: app.dir, Data: app.data})
	assert.Error(t, err, "to check a folder changes nothing in it")
	l := app.start()
	l.send(ev("t", 1, `{}`))
	l.settle()
	assert.Equal(t, []string{"4"}, l.outputs("r"))
	assert.NoFileExists(t, filepath.Join(app.dir, "tables/old.txt"))
	assert.NoFileExists(t, filepath.Join(app.data, "apply.json"))
	l.stop()

	require.NoError(t, os.WriteFile(filepath.Join(app.data, "apply.json"), []byte(`{"write":{"../x":"eA=="}}`), 0o600))
	_, err = New(t.Context(), Options{App: app.dir, Data: app.data, Listen: "off"})
	assert.ErrorContains(t, err, `"../x"`)
}

// A broken version fails no call, and the host says why it is not in force.
func TestRolloutOfAPlugin(t *testing.T) {
	app := applyApp(t)
	app.write("rhost.yaml", "plugins: {p: {rollout: {rollback_if: {faults: 2%, fuel: off, min_calls: 50, for: 1h}}}}\n")
	l := app.start()
	app.swap("plugins/p.lua", "function invoke() error('broken') end")
	l.noticed("reloaded", "plugin p (lua)")
	for n := range 5 {
		l.send(ev("t", n, `{}`))
		l.settle()
	}
	assert.ErrorContains(t, l.noticed("rolled back", "plugin p").Err, "2 of 2 calls faulted")
	assert.Equal(t, []string{"1", "1", "1", "1", "1"}, l.outputs("r"))
	assert.Empty(t, l.actions(api.Query{Status: "failed"}))
	l.stop()
	l = app.start()
	l.send(ev("t", 9, `{}`))
	l.settle()
	assert.Equal(t, "1", l.outputs("r")[5], "nor after a restart")
}

func TestRolloutConfig(t *testing.T) {
	for text, want := range map[string]string{
		"canary: 60%":                  "canary: write a share from 0% to 50%",
		"canary: 5":                    `"5" is no share; write one such as 5%, or off`,
		"rollback_if: {fuel: 1.5}":     `"1.5" is no factor; write one of at least 1 such as 1.5x, or off`,
		"rollback_if: {p99: 0.5x}":     "is no factor",
		"rollback_if: {faults: 101%}":  "is no share",
		"rollback_if: {min_calls: -1}": "must not be below 0",
		"rollback_if: {for: -1s}":      "for",
		"canaries: 5%":                 "known keys are canary",
	} {
		app := newApp(t, map[string]string{"rhost.yaml": "plugins:\n  p:\n    rollout:\n      " + text + "\n"})
		_, err := ReadConfig(app.dir, nil)
		assert.ErrorContains(t, err, want, text)
		assert.ErrorContains(t, err, "rhost.yaml", text)
	}
	app := newApp(t, map[string]string{"rhost.yaml": "plugins: {p: {rollout: {shadow: true, canary: 5%, rollback_if: {faults: 1%, p99: 2x, fuel: off, min_calls: 10, for: 30s}}}}\n"})
	c, err := ReadConfig(app.dir, nil)
	require.NoError(t, err)
	plan := c.Plugins["p"].Rollout.plan()
	assert.True(t, plan.Shadow)
	assert.InDelta(t, 0.05, plan.Canary, 1e-9)
	assert.InDelta(t, 0.01, plan.Back.Faults, 1e-9)
	assert.InDelta(t, 2, plan.Back.P99, 1e-9)
	assert.Negative(t, plan.Back.Fuel)
}
