package host

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/api"
)

// outputs of a rule's plugin calls that went well, in order.
func (l *liveHost) outputs(rule string) []string {
	l.t.Helper()
	var list []string
	for _, a := range l.actions(api.Query{Rule: rule, Status: "ok"}) {
		list = append(list, string(a.Out))
	}
	return list
}

// swap writes a file as editors do: aside, then renamed.
func (a *testApp) swap(name, text string) {
	a.t.Helper()
	a.write(name+".tmp", text)
	require.NoError(a.t, os.Rename(filepath.Join(a.dir, name+".tmp"), filepath.Join(a.dir, name)))
}

func TestReload(t *testing.T) {
	app := newApp(t, map[string]string{
		"rules/r.yaml":    "rule: r\nwhen: type == \"t\"\ndo: [{run: p}]\n",
		"plugins/p.lua":   "function invoke() return 1 end",
		"plugins/old.lua": "function invoke() return 1 end",
	})
	l := app.start()
	n := 0
	fire := func() {
		n++
		l.send(ev("t", n, `{}`))
		l.settle()
	}
	fire()

	app.swap("plugins/p.lua", "function invoke() return 2 end")
	l.noticed("reloaded", "plugin p (lua)")
	fire()
	app.swap("plugins/p.lua", "function invoke( return 3 end")
	l.noticed("kept", "plugin p")
	fire()
	require.NoError(t, os.Remove(filepath.Join(app.dir, "plugins/p.lua")))
	app.swap("rules/r.yaml", "rule: r\nwhen: type == \n")
	assert.ErrorContains(t, l.noticed("kept", "rules").Err, "rules/r.yaml:2")
	fire()
	app.swap("rules/r.yaml", "rule: r\nwhen: type == \"t\"\ndo: [{run: nobody}]\n")
	l.noticed("kept", "no plugin is called nobody")
	fire()
	assert.Equal(t, []string{"1", "2", "2", "2", "2"}, l.outputs("r"), "what is broken or gone leaves the version before in force")

	// The plugin that a rule waits for: the rule comes into force with it.
	app.swap("plugins/nobody.lua", "function invoke() return \"new\" end")
	l.noticed("reloaded", "~r")
	fire()
	assert.Equal(t, `"new"`, l.outputs("r")[5])
	assert.Len(t, l.ids(), n, "every event is matched once, whatever was in force")
}

// An execution goes on with the steps it began with when its rule is gone, also
// across a restart.
func TestRuleRemovedWhileItsExecutionWaits(t *testing.T) {
	app := newApp(t, map[string]string{
		"rules/gone.yaml": "rule: gone\nwhen: type == \"t\"\ndo:\n  - {run: flaky, retry: {max: 1000, backoff: 1ms..20ms, jitter: none}}\n  - {emit: {type: after, data: {v: \"${steps.flaky.out.v}\"}}}\n",
		"rules/stay.yaml": "rule: after\nwhen: type == \"after\"\n---\nrule: mend\nwhen: type == \"mend\"\ndo: [{run: mend}]\n",
		"plugins/flaky.lua": `function invoke(call)
  if not rhost.state.get("mended") then rhost.retry("not yet") end
  return {v = 7}
end`,
		"plugins/mend.lua": `function invoke() rhost.state.set("mended", true) end`,
	})
	l := app.start()
	l.send(ev("t", 0, `{}`))
	require.Eventually(t, func() bool { return len(l.stepsOf("gone")) > 1 }, patience, time.Millisecond)
	require.NoError(t, os.Remove(filepath.Join(app.dir, "rules/gone.yaml")))
	l.noticed("reloaded", "-gone")
	l.stop()

	l = app.start()
	assert.Equal(t, []string{"after", "mend"}, l.Summary().Rules)
	l.send(ev("t", 1, `{}`), ev("mend", 2, `{}`))
	l.settle()
	steps := l.stepsOf("gone")
	assert.Equal(t, []string{"emit/1 ok", "/0 done"}, steps[len(steps)-2:])
	assert.Len(t, l.ids(), 3, "gone once, mend and after; the event after the removal matches nothing")
}

// Rules that were edited while the host was down are in force from its start on,
// and what lies before them in the log is replayed with those of its time.
func TestRulesEditedWhileStopped(t *testing.T) {
	app := newApp(t, map[string]string{"rules/r.yaml": "rule: pair\nwhen: {pattern: 'a then b', define: {a: type == \"a\", b: type == \"b\"}}\n"})
	l := app.start()
	l.send(ev("a", 0, `{}`), ev("b", 1, `{}`), ev("a", 2, `{}`))
	l.settle()
	before := l.ids()
	require.Len(t, before, 1)
	l.stop()
	app.write("rules/new.yaml", "rule: new\nwhen: type == \"b\"\n")
	l = app.start()
	assert.Equal(t, before, l.ids(), "nothing is matched again")
	l.send(ev("b", 3, `{}`))
	l.settle()
	assert.Len(t, l.ids(), 3, "pair goes on with what it had begun, and new begins")
}

// Lookup tables and declared types belong to the rules: a folder that is made
// while the host runs counts at once, and a table that was replaced is what the
// next events are looked up in.
func TestTablesAreReloaded(t *testing.T) {
	app := newApp(t, map[string]string{
		"rules/r.yaml":  "rule: r\nwhen: type == \"t\"\ndo: [{run: p}]\n",
		"plugins/p.lua": "function invoke() return 1 end",
	})
	l := app.start()
	n := 0
	fire := func(data string) {
		n++
		l.send(ev("t", n, data))
		l.settle()
	}
	fire(`{}`)
	app.swap("rules/r.yaml", "rule: r\nwhen: type == \"t\" && data.ip in table.bad\ndo: [{run: p}]\n")
	assert.ErrorContains(t, l.noticed("kept", "rules").Err, "there is no table called bad")
	app.swap("tables/bad.txt", "10.0.0.1\n")
	l.noticed("reloaded", "+tables/bad.txt")
	fire(`{"ip":"10.0.0.1"}`)
	fire(`{"ip":"10.0.0.2"}`)
	app.swap("tables/bad.txt", "10.0.0.2\n")
	l.noticed("reloaded", "~tables/bad.txt")
	fire(`{"ip":"10.0.0.1"}`)
	fire(`{"ip":"10.0.0.2"}`)
	fire(`{"ip":"10.0.0.2"}`)
	assert.Equal(t, []string{"1", "1", "1", "1"}, l.outputs("r"))

	app.swap("schemas/t.json", `{"type":"object","properties":{"address":{"type":"string"}},"additionalProperties":false}`)
	assert.ErrorContains(t, l.noticed("kept", "data.ip").Err, "schema")

	// What was looked up then is looked up in the same tables on a replay.
	l.stop()
	require.NoError(t, os.Remove(filepath.Join(app.dir, "schemas/t.json")))
	assert.Equal(t, []string{"1", "1", "1", "1"}, app.start().outputs("r"))
}
