package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/sdk/client"
)

const (
	reloadRate  = 20_000 // events a second, as far as the machine gets there
	reloadBatch = 400
)

const reloadRules = `
rule: hit
when: type == "probe" && data.n %% 1000 == 0
do: [{run: mark}]
---
rule: other
when: type == "probe" && data.n %% 1000 == 1
do: [{run: still}]
---
rule: third
when: type == "probe" && data.n %% 1000 == 2
do: [{run: built}]
---
rule: edited
when: type == "probe" && data.mark == %d
`

// status is the part of `rhost status` that the test reads.
type hostStatus struct {
	Counts  struct{ Events, Matches, Failed uint64 }
	Plugins []struct{ Name, Digest string }
	Began   time.Time
}

// TestReloadWhileEventsFlow edits a rule, a script and a plugin built from Go
// while events flow: no event is lost, no call fails, the process stays, and
// what was not touched stays as it was. A broken edit changes nothing.
func TestReloadWhileEventsFlow(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a host under load and builds a Go plugin")
	}
	app := t.TempDir()
	write(t, app, "rules/r.yaml", fmt.Sprintf(reloadRules, -1))
	write(t, app, "plugins/still.lua", `function invoke(call) return {v = 1} end`)
	write(t, app, "plugins/mark.lua", `function invoke(call) return {v = 1} end`)
	write(t, app, "rhost.yaml", "plugins: {built: {limits: {deadline: 10s}}}\n")
	source := newGoPlugin(t, app, "built")
	data := t.TempDir()
	p := start(t, "run", app, "--data", data, "--listen", "off", "--json")
	p.waitFor(`"ready"`)
	c, err := client.Dial(filepath.Join(data, "rhost.sock"))
	require.NoError(t, err)
	defer c.Close()
	before := statusOf(t, c)

	f := &flow{t: t, c: c, stop: make(chan struct{}), done: make(chan struct{})}
	go f.run()
	defer f.end()
	f.until(2 * reloadRate)

	// A rule: events that the old version would not match are matched soon.
	f.mark.Store(7)
	wrote := time.Now()
	write(t, app, "rules/r.yaml", fmt.Sprintf(reloadRules, 7))
	p.waitFor(`"rule":"edited"`)
	t.Logf("rule in force after %v", time.Since(wrote))
	f.mark.Store(0)

	// A script.
	wrote = time.Now()
	write(t, app, "plugins/mark.lua", `function invoke(call) return {v = 2} end`)
	p.waitFor(`"out":{"v":2}`)
	t.Logf("script in force after %v", time.Since(wrote))

	// A plugin built from Go.
	write(t, app, "plugins/built/main.go", strings.Replace(source, `"round": 1`, `"round": 2`, 1))
	wrote = time.Now()
	inFolder(t, app, "rhost", "plugin", "build", "built")
	p.waitFor(`"out":{"round":2}`)
	t.Logf("Go plugin built and in force after %v", time.Since(wrote))

	// Broken edits: the versions before go on.
	write(t, app, "rules/r.yaml", "rule: hit\nwhen: type == \n")
	write(t, app, "plugins/mark.lua", `function invoke(call`)
	require.Eventually(t, func() bool {
		said := p.said()
		return strings.Contains(said, "kept rules") && strings.Contains(said, "kept plugin mark")
	}, time.Minute, 20*time.Millisecond)
	f.until(f.sent.Load() + reloadRate)
	p.waitFor(`"out":{"v":2}`)
	write(t, app, "rules/r.yaml", fmt.Sprintf(reloadRules, 7))
	write(t, app, "plugins/mark.lua", `function invoke(call) return {v = 3} end`)
	p.waitFor(`"out":{"v":3}`)

	f.end()
	var after hostStatus
	require.Eventually(t, func() bool {
		after = statusOf(t, c)
		return after.Counts.Events >= f.sent.Load()
	}, time.Minute, 50*time.Millisecond)
	assert.Equal(t, f.sent.Load(), after.Counts.Events, "events accepted and processed")
	assert.Zero(t, after.Counts.Failed, "attempts failed")
	assert.Equal(t, before.Began, after.Began, "the process is the same")
	assert.Equal(t, digest(before, "still"), digest(after, "still"), "the plugin that nobody touched")
	assert.NotEqual(t, digest(before, "mark"), digest(after, "mark"))
	p.interrupt()
	assert.Len(t, matchesOf(t, data, "hit"), int((f.sent.Load()+999)/1000), "every match of the rule that no edit changed")
}

// newGoPlugin makes and builds a Go plugin that answers {"round": 1}, and returns
// its source.
func newGoPlugin(t *testing.T, app, name string) string {
	t.Helper()
	inFolder(t, app, "rhost", "plugin", "new", "--lang", "go", name)
	source := `package main

import "github.com/rhost/rhost/sdk/guest"

func init() { guest.Handle(func(c *guest.Call) error { return c.Output(guest.Map{"round": 1}) }) }

func main() {}
`
	write(t, app, "plugins/"+name+"/main.go", source)
	inFolder(t, app, "rhost", "plugin", "build", name)
	return source
}

func inFolder(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %s:\n%s", name, strings.Join(args, " "), out)
}

// flow sends numbered events at a steady rate.
type flow struct {
	t          *testing.T
	c          *client.Client
	sent, mark atomic.Uint64
	stop, done chan struct{}
	ended      atomic.Bool
}

func (f *flow) run() {
	defer close(f.done)
	start := time.Now()
	for n := uint64(0); ; n += reloadBatch {
		select {
		case <-f.stop:
			return
		case <-time.After(time.Until(start.Add(time.Duration(n) * time.Second / reloadRate))):
		}
		batch := make([]json.RawMessage, reloadBatch)
		for i := range batch {
			id := n + uint64(i)
			batch[i] = fmt.Appendf(nil, `{"specversion":"1.0","id":"%d","source":"/load","type":"probe","data":{"n":%d,"mark":%d}}`, id, id, f.mark.Load())
		}
		if !assert.NoError(f.t, f.c.Submit(f.t.Context(), batch...)) {
			return
		}
		f.sent.Add(reloadBatch)
	}
}

func (f *flow) until(n uint64) {
	require.Eventually(f.t, func() bool { return f.sent.Load() >= n }, time.Minute, 10*time.Millisecond)
}

func (f *flow) end() {
	if f.ended.CompareAndSwap(false, true) {
		close(f.stop)
	}
	<-f.done
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	full := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
	require.NoError(t, os.WriteFile(full, []byte(text), 0o600))
}

func statusOf(t *testing.T, c *client.Client) hostStatus {
	t.Helper()
	raw, err := c.Status(t.Context())
	require.NoError(t, err)
	var s hostStatus
	require.NoError(t, json.Unmarshal(raw, &s))
	return s
}

func digest(s hostStatus, plugin string) string {
	for _, p := range s.Plugins {
		if p.Name == plugin {
			return p.Digest
		}
	}
	return ""
}
