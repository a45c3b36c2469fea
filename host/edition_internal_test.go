package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/cluster"
	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/sandbox"
)

// nodes are nodes of a cluster in this process: they take turns at one engine's log.
type nodes struct {
	t      *testing.T
	engine *eventlog.Engine
	epoch  uint64
}

func newNodes(t *testing.T) *nodes {
	t.Helper()
	e, err := eventlog.StartEngine(t.Context(), eventlog.EngineConfig{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return &nodes{t: t, engine: e}
}

// owner is a host that owns the log.
type owner struct {
	*liveHost
	lose context.CancelCauseFunc
}

// open takes the log over for a node, and makes its host.
func (n *nodes) open(name string, app *testApp, change ...func(*place)) (*liveHost, error) {
	n.t.Helper()
	n.epoch++
	clock := newClock()
	log, err := n.engine.Open(n.t.Context(), 0, eventlog.Config{Now: clock.now})
	require.NoError(n.t, err)
	require.NoError(n.t, log.Claim(n.t.Context(), name, n.epoch))
	l := &liveHost{t: n.t, ended: make(chan error, 1)}
	at := place{
		node: name, data: app.data, epoch: n.epoch, log: log, clock: clock,
		serve: func(ctx context.Context, _ *Host) error { <-ctx.Done(); return nil },
		size:  func(context.Context) (int64, error) { return 0, nil },
	}
	for _, c := range change {
		c(&at)
	}
	h, err := newHost(n.t.Context(), Options{App: app.dir, Data: app.data, Listen: "off", Version: "test", Report: func(note Notice) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.notices = append(l.notices, note)
	}}, at)
	l.Host = h
	return l, err
}

// own takes the log over and runs the host.
func (n *nodes) own(name string, app *testApp, change ...func(*place)) *owner {
	n.t.Helper()
	l, err := n.open(name, app, change...)
	require.NoError(n.t, err)
	return n.run(l)
}

func (n *nodes) run(l *liveHost) *owner {
	n.t.Helper()
	ctx, lose := context.WithCancelCause(context.Background())
	l.end = func() { lose(nil) }
	ready := make(chan struct{})
	go func() { l.ended <- l.Run(ctx, func(Summary) { close(ready) }) }()
	n.t.Cleanup(l.stop)
	select {
	case <-ready:
	case err := <-l.ended:
		l.ended <- nil
		require.NoError(n.t, err, "the host ended before it was ready")
	}
	return &owner{l, lose}
}

// refused expects that a node cannot take the log over.
func (n *nodes) refused(name string, app *testApp) error {
	n.t.Helper()
	_, err := n.open(name, app)
	require.Error(n.t, err)
	return err
}

// die ends an owner in the middle of what it does.
func (o *owner) die() {
	o.t.Helper()
	o.once.Do(func() {
		o.lose(cluster.ErrLost)
		<-o.ended // whatever it says
		require.NoError(o.t, o.Close())
	})
}

func (o *owner) output(n int) string {
	o.t.Helper()
	o.send(ev("t", n, `{"x":"a"}`))
	o.settle()
	all := o.outputs("r")
	require.NotEmpty(o.t, all)
	return all[len(all)-1]
}

func (o *owner) describe(name string) deploy.Status {
	o.t.Helper()
	raw, err := o.api().Plugin(o.t.Context(), name)
	require.NoError(o.t, err)
	var s deploy.Status
	require.NoError(o.t, json.Unmarshal(raw, &s))
	return s
}

// states are those of a plugin's versions, by what they answer.
func states(s deploy.Status) map[string]deploy.State {
	all := make(map[string]deploy.State)
	for _, v := range s.Versions {
		for _, answer := range []string{"1", "2", "3", "error('broken')"} {
			if v.Digest == sandbox.Digest([]byte(script(answer))) {
				all[answer] = v.State
			}
		}
	}
	return all
}

func script(answer string) string { return "function invoke() return " + answer + " end" }

const ruleOfP = "rule: r\nwhen: type == \"t\"\ndo: [{run: p}]\n"

// appOf is an app whose rule r runs p, which gives answer.
func appOf(t *testing.T, answer string, more ...string) *testApp {
	t.Helper()
	files := map[string]string{"rules/r.yaml": ruleOfP, "plugins/p.lua": script(answer)}
	for i := 0; i < len(more); i += 2 {
		files[more[i]] = more[i+1]
	}
	return newApp(t, files)
}

// What is in force goes on with the log, whatever the next node's folder has.
func TestTakeOverKeepsWhatIsInForce(t *testing.T) {
	n := newNodes(t)
	a := n.own("a", newApp(t, map[string]string{
		"rules/r.yaml":     "rule: r\nwhen: type == \"t\" && data.x in table.list\ndo: [{run: p}]\n",
		"tables/list.json": `["a"]`, "plugins/p/p.lua": script("1"), "plugins/p/manifest.yaml": "name: p\nversion: 1.0.0\nabi: rhost.v1\n",
	}))
	assert.Equal(t, "1", a.output(1))
	a.stop()

	app := appOf(t, "2", "rules/more.yaml", "rule: more\nwhen: type == \"t\"\n", "plugins/q.lua", script("9"))
	b := n.own("b", app)
	assert.Equal(t, "1", b.output(2))
	assert.Equal(t, []string{"r"}, b.rules.Load().names(), "the folder's other rule is not in force")
	assert.False(t, b.hasPlugin("q"), "nor its plugin")
	assert.Equal(t, "plugins/p/p.lua", b.describe("p").From)

	out, err := b.apply(bundle(map[string]string{"rules/r.yaml": ruleOfP, "plugins/p/p.lua": script("3"), "plugins/p/src.txt": "of the author's own"}))
	require.NoError(t, err)
	assert.Equal(t, []FileChange{{"plugins/p/p.lua", "change"}, {"rules/r.yaml", "change"}}, out.Files)
	assert.Equal(t, "3", b.output(3))
	assert.Equal(t, script("2"), app.read("plugins/p.lua"), "nobody's folder is written to")
	b.die()

	c := n.own("c", newApp(t, nil))
	assert.Equal(t, "3", c.output(4), "a node with an empty folder gets all of it")
	assert.Equal(t, uint64(5), c.editions.noted.Number, "%s", c.editions.noted.Why)
}

// oldRules puts rules in force as a release before editions did.
func (n *nodes) oldRules(files ...RuleFile) {
	n.t.Helper()
	log, err := n.engine.Open(n.t.Context(), 0, eventlog.Config{})
	require.NoError(n.t, err)
	n.epoch++
	require.NoError(n.t, log.Claim(n.t.Context(), "old", n.epoch))
	set, err := CompileRules(files)
	require.NoError(n.t, err)
	require.NoError(n.t, newRuleLibrary(log).keep(n.t.Context(), set))
	ctx, stop := context.WithCancel(n.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- log.Committer().Run(ctx) }()
	_, err = log.Committer().Commit(ctx, []eventlog.Record{{Kind: eventlog.Revision, Tenant: "default", Key: set.Digest}})
	require.NoError(n.t, err)
	stop()
	require.NoError(n.t, <-ended)
	require.NoError(n.t, log.Close())
}

// A log from before editions has rules of its own, which stay; so do the versions that
// the node had alone.
func TestFirstEditionOfAnOlderLog(t *testing.T) {
	n := newNodes(t)
	n.oldRules(RuleFile{"rules/r.yaml", ruleOfP}, RuleFile{"rules/s.yaml", "rule: s\nwhen: type == \"s\"\n"})
	b := n.own("b", appOf(t, "2"))
	b.noticed("warning", "has other rules")
	assert.Equal(t, []string{"r", "s"}, b.rules.Load().names())
	b.stop()
	c := n.own("c", newApp(t, nil))
	assert.Equal(t, []string{"r", "s"}, c.rules.Load().names())
	assert.Equal(t, "2", c.output(1))
}

// What an owner recorded and did not live to do, the next one does.
func TestRecordedChangeIsFinished(t *testing.T) {
	n := newNodes(t)
	a := n.own("a", appOf(t, "1"))
	require.NoError(t, a.editions.change(t.Context(), "test", []FileChange{{"rules/r.yaml", "change"}, {"plugins/p.lua", "change"}},
		map[string][]byte{"rules/r.yaml": []byte(strings.ReplaceAll(ruleOfP, `"t"`, `"u"`)), "plugins/p.lua": []byte(script("2"))}))
	assert.Equal(t, "1", a.output(1), "nothing but the record is there")
	a.die()
	b := n.own("b", appOf(t, "1"))
	b.send(ev("u", 2, `{}`))
	b.settle()
	assert.Equal(t, []string{"1", "2"}, b.outputs("r"))
}

// A rollout goes on at the next owner, however the one before ended, and one that was
// rolled back stays so. The history goes along.
func TestRolloutGoesOnElsewhere(t *testing.T) {
	const settings = "plugins: {p: {rollout: {canary: 50%, rollback_if: {faults: 2%, fuel: off, p99: off, min_calls: 50, for: 1h}}}}\n"
	for name, from := range map[string]func(*testing.T, *owner){
		"uploaded": func(t *testing.T, a *owner) {
			_, err := a.api().PutPlugin(t.Context(), "p", api.Upload{Kind: "lua", Source: []byte(script("2"))})
			require.NoError(t, err)
		},
		"applied": func(t *testing.T, a *owner) {
			_, err := a.apply(bundle(map[string]string{"plugins/p.lua": script("2")}))
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNodes(t)
			a := n.own("a", appOf(t, "1", "rhost.yaml", settings))
			from(t, a)
			require.NotNil(t, a.describe("p").Rollout)
			a.die()

			b := n.own("b", appOf(t, "3"))
			s := b.describe("p")
			require.NotNil(t, s.Rollout, "it goes on")
			assert.Equal(t, sandbox.PhaseCanary, s.Rollout.Phase)
			assert.Equal(t, sandbox.Digest([]byte(script("1"))), s.Digest)
			assert.Equal(t, map[string]deploy.State{"1": deploy.Active, "2": deploy.Rolling}, states(s))
			b.stop()

			c := n.own("c", newApp(t, nil))
			require.NotNil(t, c.describe("p").Rollout, "after a hand-over, too")
			_, err := c.api().RollbackPlugin(t.Context(), "p")
			require.NoError(t, err)
			c.die()

			d := n.own("d", newApp(t, nil))
			s = d.describe("p")
			assert.Nil(t, s.Rollout)
			assert.Equal(t, sandbox.Digest([]byte(script("1"))), s.Digest)
			assert.Equal(t, deploy.RolledBack, states(s)["2"])
			assert.Equal(t, "1", d.output(1))
		})
	}
}

// A version that an operator sent, for which no file stands, is in force everywhere.
func TestUploadedPluginElsewhere(t *testing.T) {
	n := newNodes(t)
	a := n.own("a", appOf(t, "1"))
	for _, answer := range []string{"1", "2"} {
		_, err := a.api().PutPlugin(t.Context(), "sent", api.Upload{Kind: "lua", Source: []byte(script(answer))})
		require.NoError(t, err)
	}
	_, err := a.apply(bundle(map[string]string{"rules/r.yaml": strings.ReplaceAll(ruleOfP, "run: p", "run: sent")}))
	require.NoError(t, err)
	a.die()
	b := n.own("b", newApp(t, nil))
	assert.Equal(t, "2", b.output(1))
	_, err = b.api().ActivatePlugin(t.Context(), "sent", sandbox.Digest([]byte(script("1"))))
	require.NoError(t, err)
	b.die()
	c := n.own("c", newApp(t, nil))
	assert.Len(t, c.describe("sent").Versions, 2)
	assert.Equal(t, "1", c.output(2))
}

// Settings that are not about one machine are those in force, too.
func TestSharedSettings(t *testing.T) {
	n := newNodes(t)
	a := n.own("a", appOf(t, "1", "rhost.yaml", "listen: off\nplugins: {p: {config: {x: 1}}}\nlanes: 1\n"))
	a.stop()
	b := n.own("b", appOf(t, "1", "rhost.yaml", "limits: {guest_memory: 256MiB}\nplugins: {p: {config: {x: 2}}}\nretention: {age: off}\n"))
	assert.JSONEq(t, `{"x":1}`, string(b.config.Plugins["p"].json))
	assert.Zero(t, b.config.Retention.Age)
	assert.NotZero(t, b.config.Limits.GuestMemory, "what is about the machine is its own")

	out, err := b.apply(bundle(map[string]string{"rhost.yaml": "listen: off\nplugins: {p: {config: {x: 1}}}\n# as it was\nlanes: 1\n"}))
	require.NoError(t, err)
	assert.Empty(t, out.Files, "it says the same")
	_, err = b.apply(bundle(map[string]string{"rhost.yaml": "plugins: {other: {config: {x: 3}}}\n"}))
	require.ErrorContains(t, err, "plugins.other: no plugin of that name")
	_, err = b.apply(bundle(map[string]string{"rhost.yaml": "plugin: {}\n"}))
	require.NoError(t, err, "a key that no node shares is each node's own")
	out, err = b.apply(bundle(map[string]string{"rhost.yaml": "plugins: {p: {config: {x: 3}}}\n"}))
	require.NoError(t, err)
	assert.Equal(t, []string{"plugins"}, out.Settings)
	assert.JSONEq(t, `{"x":1}`, string(b.config.Plugins["p"].json), "not before the log is taken over")
	b.stop()
	c := n.own("c", newApp(t, nil))
	assert.JSONEq(t, `{"x":3}`, string(c.config.Plugins["p"].json))
}

// A bundle that would leave the next owner without a plugin that it needs is refused.
func TestApplyLeavesNoGap(t *testing.T) {
	n := newNodes(t)
	a := n.own("a", appOf(t, "1", "plugins/q.lua", script("2"), "rhost.yaml", "plugins: {q: {config: {x: 1}}}\n"))
	before := a.editions.noted.Number
	_, err := a.apply(Bundle{Prune: true, Files: map[string][]byte{"rules/r.yaml": []byte(ruleOfP), "plugins/q.lua": []byte(script("2"))}})
	require.ErrorContains(t, err, "no plugin is called p")
	_, err = a.apply(Bundle{Prune: true, Files: map[string][]byte{"rules/r.yaml": []byte(ruleOfP), "plugins/p.lua": []byte(script("1"))}})
	require.ErrorContains(t, err, "plugins.q: no plugin of that name")
	_, err = a.apply(bundle(map[string]string{"plugins/p/p.lua": script("2")}))
	require.ErrorContains(t, err, "both plugins/p/p.lua and plugins/p.lua have that name")
	_, err = a.apply(bundle(map[string]string{"../x": "y"}))
	require.ErrorIs(t, err, api.ErrInvalid)
	assert.Equal(t, before, a.editions.noted.Number, "nothing was recorded")
}

// A node does not run anything else than what is on record: it names what it lacks.
func TestTakeOverStepsAside(t *testing.T) {
	n := newNodes(t)
	app := appOf(t, "1")
	a := n.own("a", app)
	lost, was := sandbox.Digest([]byte(script("1"))), a.editions.noted
	a.stop()
	store, err := n.engine.Store(0)
	require.NoError(t, err)
	blobs, name := store.Blobs(), strings.TrimPrefix(lost, "sha256:")
	t.Cleanup(func() { require.NoError(t, store.Close()) })

	require.NoError(t, blobs.Delete(t.Context(), name, eventlog.AnyBlob))
	err = n.refused("b", newApp(t, nil))
	require.ErrorIs(t, err, errEdition)
	require.ErrorContains(t, err, "plugins/p.lua")
	require.ErrorContains(t, err, lost)
	require.ErrorContains(t, err, "rhost run --adopt")

	require.NoError(t, blobs.Put(t.Context(), name, []byte(script("2"))))
	err = n.refused("b", appOf(t, "2"))
	require.ErrorContains(t, err, "the stored bytes have another digest")

	c := n.own("c", appOf(t, "1"))
	assert.Equal(t, "1", c.output(1), "one that has the file goes on")
	require.Eventually(t, func() bool {
		b, err := c.log.GetBlob(t.Context(), lost)
		return err == nil && string(b) == script("1")
	}, patience, time.Millisecond, "and puts it back")
	c.stop()

	require.NoError(t, blobs.Delete(t.Context(), strings.TrimPrefix(c.editions.noted.Digest, "sha256:"), eventlog.AnyBlob))
	require.ErrorContains(t, n.refused("b", app), fmt.Sprint("edition ", c.editions.noted.Number))
	assert.Greater(t, c.editions.noted.Number, was.Number)

	d := n.own("d", appOf(t, "3"), func(p *place) { p.adopt = true })
	assert.Equal(t, "3", d.output(2), "an operator may put a folder in force")
	d.stop()
	assert.Equal(t, "3", n.own("a", app).output(3))
}

// What a newer release wrote is refused by its version, and so is damage.
func TestEditionsOfOthersAreRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		note, want string
		edition    string
	}{
		"newer note":    {note: `{"v":2,"n":9}`, want: "its note: it is of version 2, and this release reads version 1"},
		"no JSON":       {note: `{`, want: "its note: unexpected end"},
		"unknown key":   {note: `{"v":1,"n":9,"also":1}`, want: `unknown field "also"`},
		"newer edition": {edition: `{"v":7,"files":[]}`, want: "its list of files: it is of version 7"},
		"way out":       {edition: `{"v":1,"files":[{"name":"../x","digest":"D","size":1}]}`, want: `"../x"`},
		"twice":         {edition: `{"v":1,"files":[{"name":"rhost.yaml","digest":"D","size":1},{"name":"rhost.yaml","digest":"D","size":1}]}`, want: "not in its place"},
		"no digest":     {edition: `{"v":1,"files":[{"name":"rhost.yaml","digest":"sha256:1","size":1}]}`, want: "has no digest"},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNodes(t)
			app := appOf(t, "1")
			a := n.own("a", app)
			note := tt.note
			if tt.edition != "" {
				body := []byte(strings.ReplaceAll(tt.edition, `"D"`, `"`+sandbox.Digest(nil)+`"`))
				require.NoError(t, a.log.PutBlob(t.Context(), sandbox.Digest(body), body))
				b, err := encodeNote(&editionNote{Version: 1, Number: 9, Digest: sandbox.Digest(body), Epoch: 1})
				require.NoError(t, err)
				note = string(b)
			}
			require.NoError(t, a.log.Editions().Append(t.Context(), func([]byte) ([]byte, error) { return []byte(note), nil }))
			a.stop()
			err := n.refused("b", app)
			require.ErrorIs(t, err, errEdition)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// An owner that was replaced records nothing any more, and one that reads an edition
// which is not the newest by the time it begins does not begin.
func TestRecordsAreFenced(t *testing.T) {
	n := newNodes(t)
	a := n.own("a", appOf(t, "1"))
	late, err := n.open("b", appOf(t, "2"))
	require.NoError(t, err)
	change := []FileChange{{"rules/x.yaml", "add"}}
	files := map[string][]byte{"rules/x.yaml": []byte("rule: x\nwhen: type == \"x\"\n")}
	require.ErrorIs(t, a.editions.change(t.Context(), "test", change, files), eventlog.ErrFenced)

	// b has claimed the log, and read what is in force; the one before had a record on
	// its way that comes now.
	require.NoError(t, late.log.Editions().Append(t.Context(), func(newest []byte) ([]byte, error) {
		last, err := decodeEditionNote(newest)
		require.NoError(t, err)
		last.Number++
		return encodeNote(last)
	}))
	require.ErrorContains(t, late.editions.begin(t.Context()), "has recorded edition 2 meanwhile")
	require.NoError(t, late.Close())
	a.die()
	c := n.own("c", newApp(t, nil))
	_, _, err = c.editions.next(t.Context(), []byte(`{"v":1,"n":9,"epoch":99,"node":"z","digest":"","at":"2026-01-01T00:00:00Z","why":""}`), "", "")
	require.ErrorIs(t, err, eventlog.ErrFenced)
}

// A log that was restored into a new cluster has editions of higher epochs than the
// owners have there, for the leases, and with them the epochs, begin anew.
func TestEditionOfRestoredLog(t *testing.T) {
	n := newNodes(t)
	a := n.own("a", appOf(t, "1"))
	a.die()
	n.epoch++
	log, err := n.engine.Open(t.Context(), 0, eventlog.Config{})
	require.NoError(t, err)
	require.NoError(t, log.Claim(t.Context(), "old", n.epoch))
	require.NoError(t, log.Editions().Append(t.Context(), func(newest []byte) ([]byte, error) {
		last, err := decodeEditionNote(newest)
		require.NoError(t, err)
		last.Number, last.Epoch = last.Number+1, 1_000_000
		return encodeNote(last)
	}))
	require.NoError(t, log.Close())

	b := n.own("b", appOf(t, "1"))
	assert.Equal(t, uint64(3), b.editions.noted.Number)
	late, err := n.open("c", appOf(t, "1"))
	require.NoError(t, err)
	require.ErrorIs(t, b.editions.overtaken(t.Context()), eventlog.ErrFenced)
	require.NoError(t, late.Close())
	b.die()
}

// What an edition names outlives the sweep of blobs.
func TestSweepKeepsEditions(t *testing.T) {
	n := newNodes(t)
	a := n.own("a", appOf(t, "1", "tables/list.json", `["a"]`))
	_, err := a.api().PutPlugin(t.Context(), "p", api.Upload{Kind: "lua", Source: []byte(script("2"))})
	require.NoError(t, err)
	stray := []byte("nobody names this")
	require.NoError(t, a.log.PutBlob(t.Context(), sandbox.Digest(stray), stray))
	require.NoError(t, a.lane.snapshotNow(t.Context()))
	k := a.keeper()
	k.blobs = newHeldBlobs(a.log) // as if all had been stored long ago
	require.NoError(t, k.sweep(t.Context()))
	_, err = a.log.GetBlob(t.Context(), sandbox.Digest(stray))
	require.ErrorIs(t, err, eventlog.ErrNotFound)
	a.stop()
	b := n.own("b", newApp(t, nil))
	assert.Equal(t, "2", b.output(1))
	assert.FileExists(t, filepath.Join(b.editions.dir, "tables", "list.json"))
	_, err = b.api().ActivatePlugin(t.Context(), "p", sandbox.Digest([]byte(script("1"))))
	require.NoError(t, err)
}

// fullBlobs have no room while full.
type fullBlobs struct {
	blobs
	full atomic.Bool
}

func (f *fullBlobs) PutBlob(ctx context.Context, digest string, b []byte) error {
	if f.full.Load() {
		return eventlog.ErrDiskFull
	}
	return f.blobs.PutBlob(ctx, digest, b)
}

// What could not be recorded is recorded later, and a bundle that could not be is not in
// force.
func TestRecordThatFails(t *testing.T) {
	n := newNodes(t)
	l, err := n.open("a", appOf(t, "1"))
	require.NoError(t, err)
	store := &fullBlobs{blobs: l.editions.blobs}
	l.editions.blobs = store
	a := n.run(l)
	number := func() uint64 {
		note, err := newestEdition(t.Context(), onRecord{a.log})
		require.NoError(t, err)
		return note.Number
	}
	store.full.Store(true)
	_, err = a.apply(bundle(map[string]string{"plugins/p.lua": script("2")}))
	require.ErrorIs(t, err, eventlog.ErrDiskFull)
	assert.Equal(t, "1", a.output(1))
	require.ErrorIs(t, a.editions.Write([]byte(`{"p":null}`)), eventlog.ErrDiskFull)
	assert.Equal(t, uint64(1), number())
	store.full.Store(false)
	require.Eventually(t, func() bool { return number() == 2 }, patience, 10*time.Millisecond, "it is tried again")
	_, err = a.apply(bundle(map[string]string{"plugins/p.lua": script("2")}))
	require.NoError(t, err)
	assert.Equal(t, "2", a.output(2))
}

// A host that cannot put in force what it has recorded ends, and the next begins with
// that.
func TestHostEndsThatIsNotWhatIsRecorded(t *testing.T) {
	n := newNodes(t)
	a := n.own("a", appOf(t, "1"))
	a.editions.fail(errors.New("of the test"))
	err := <-a.ended
	require.ErrorContains(t, err, "what was recorded is not in force here: of the test")
	a.ended <- nil
}
