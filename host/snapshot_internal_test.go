package host

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/connect"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/notify"
	"github.com/rhost/rhost/host/workflow"
)

// notesInMemory keeps snapshots in the blobs of a log, and notes of them across
// openings of that.
type notesInMemory struct {
	*eventlog.Log
	mu    sync.Mutex
	notes []storedNote // newest first; guarded by mu
}

func (n *notesInMemory) Remove(context.Context, string) error {
	return nil // the test recovers from all of them
}

func (n *notesInMemory) AppendSnapshot(_ context.Context, note []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.notes = slices.Insert(n.notes, 0, storedNote{body: note})
	return nil
}

func (n *notesInMemory) NewestSnapshots(_ context.Context, most int) ([]storedNote, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.notes[:min(len(n.notes), most)]), nil
}

// laneRig is a lane with nothing around it but a log. Actions are answered by a
// world that gives the same answer to the same attempt, some of them late.
type laneRig struct {
	*lane
	t   *testing.T
	set *RuleSet // latest put in force

	stop  context.CancelFunc
	group *errgroup.Group
	todo  chan workflow.Command
	mu    sync.Mutex
	held  []workflow.Command // guarded by mu
}

// rig opens a lane on the log in dir. With snapshots nil it is recovered from the
// whole log.
func rig(t *testing.T, dir string, snapshots *notesInMemory, now func() time.Time) *laneRig {
	t.Helper()
	return rigWith(t, eventlog.Config{Dir: dir}, now, func(log *eventlog.Log) (blobs, snapshotStore) {
		if snapshots == nil {
			return log, nil
		}
		snapshots.Log = log
		return log, snapshots
	})
}

// rigWith is a rig that keeps its blobs and snapshots where keep says.
func rigWith(t *testing.T, c eventlog.Config, now func() time.Time, keep func(*eventlog.Log) (blobs, snapshotStore)) *laneRig {
	t.Helper()
	account := newAccount(now)
	c.Meter = account
	log, err := eventlog.Open(t.Context(), c)
	require.NoError(t, err)
	r := &laneRig{t: t, todo: make(chan workflow.Command, 1<<12)}
	blobs, snapshots := keep(log)
	r.lane = newLane(laneParts{
		tenant: "default", log: log, blobs: blobs, lib: newRuleLibrary(blobs), hub: notify.NewHub(), state: newState(),
		start: r.start, logger: slog.New(slog.DiscardHandler), now: now, snapshots: snapshots, account: account,
		topics: notify.NewHistories(func(string) (notify.Keep, bool) { return notify.Keep{Count: 20, Age: 1 << 60}, true }),
	})
	require.NoError(t, r.recover(t.Context()))
	r.set = r.inForce.Load()
	return r
}

func (r *laneRig) start(cmd workflow.Command) bool {
	if cmd.Plugin == "hold" || cmd.Plugin != "again" && hash(cmd.Key)%5 == 0 && cmd.Attempt == 1 {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.held = append(r.held, cmd)
		return true
	}
	r.todo <- cmd
	return true
}

func hash(s string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(s))
	return h.Sum32()
}

// free answers what was held back.
func (r *laneRig) free() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, cmd := range r.held {
		r.todo <- cmd
	}
	r.held = nil
}

func answer(cmd workflow.Command) workflow.Result {
	if cmd.Plugin == "again" {
		return cmd.Fail(workflow.FailTimeout, "timed out")
	}
	_, own, _ := strings.Cut(cmd.Key, "/") // without the origin of the log
	switch n := hash(fmt.Sprint(own, cmd.Attempt)); n % 8 {
	case 0:
		return cmd.Fail(workflow.FailTimeout, "timed out")
	case 1:
		return cmd.Fail(workflow.FailTrap, "refused")
	default:
		res := cmd.Answer(json.RawMessage(fmt.Sprint(n)))
		res.Effects = []workflow.Effect{
			{Kind: workflow.EffectStateSet, Name: fmt.Sprint("s", n%7), Value: json.RawMessage(fmt.Sprint(n))},
			{Kind: workflow.EffectKVSet, Name: fmt.Sprint("k", n%11), Bytes: []byte(own), Expires: testDay.Add(time.Hour)},
			{Kind: workflow.EffectKVSet, Name: fmt.Sprint("k", n%5)},
			{Kind: workflow.EffectNotify, Name: fmt.Sprint("topic", n%3), Value: json.RawMessage(fmt.Sprint(n))},
		}
		if n%3 == 0 {
			res.Effects = append(res.Effects, workflow.Effect{Kind: workflow.EffectEmit, Name: "c", Value: json.RawMessage(fmt.Sprintf(`{"u":%d}`, n%4))})
		}
		if n%3 == 1 {
			res.Effects = append(res.Effects, workflow.Effect{Kind: workflow.EffectStateSet, Name: fmt.Sprint("s", n%7)})
		}
		return res
	}
}

func (r *laneRig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	r.group, ctx = errgroup.WithContext(ctx)
	r.group.Go(func() error { return r.log.Committer().Run(ctx) })
	r.group.Go(func() error { return r.Run(ctx) })
	r.group.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case cmd := <-r.todo:
				select {
				case r.results <- answer(cmd):
				case <-ctx.Done():
					return nil
				}
			}
		}
	})
}

// crash stops everything where it is.
func (r *laneRig) crash() {
	if r.stop != nil {
		r.stop()
		require.NoError(r.t, r.group.Wait())
	}
	require.NoError(r.t, r.log.Close())
}

func (r *laneRig) put(files []RuleFile) {
	set, err := r.set.update(files)
	require.NoError(r.t, err)
	require.NoError(r.t, r.lib.keep(r.t.Context(), set))
	at, err := r.log.Committer().Commit(r.t.Context(), []eventlog.Record{{Kind: eventlog.Revision, Tenant: r.tenant, Key: set.Digest}})
	require.NoError(r.t, err)
	require.NoError(r.t, r.untilPast(r.t.Context(), at.Last))
	r.set = r.inForce.Load()
}

func (r *laneRig) settle() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	held := func() int { r.mu.Lock(); defer r.mu.Unlock(); return len(r.held) }
	require.NoError(r.t, r.until(ctx, func() bool {
		return r.pos == r.log.Tail() && r.outbox.empty() && r.flying == nil && len(r.emits) == 0 && len(r.running) == held()
	}))
}

// dump is all that a recovered lane is. Two lanes with the same dump go on alike.
func (r *laneRig) dump() map[string]string {
	r.t.Helper()
	d := make(map[string]string)
	say := func(name string, v any) {
		b, err := json.Marshal(v)
		require.NoError(r.t, err)
		d[name] = string(b)
	}
	say("origin", r.origin)
	say("place", []eventlog.Position{r.pos, r.replay})
	say("rules", []any{r.rules.row, r.rules.Digest, r.rules.edited, r.began.UTC(), r.since})
	if rev := r.revision.Load(); rev != nil { // what is open is about: some of it may be over
		say("revision", []any{rev.At, rev.Digest, rev.Text})
	}
	var order []string
	r.rules.Program.All(func(rule *cep.Rule) bool { order = append(order, rule.Name+" "+rule.Version); return true })
	say("order", order)
	say("matcher", r.future())
	var flows bytes.Buffer
	c := r.flows.Capture()
	require.NoError(r.t, c.WriteTo(&flows, func(string) {}))
	c.End()
	d["flows"] = fmt.Sprintf("%q", flows.Bytes())
	d["state"] = fmt.Sprintf("%q", slices.Sorted(maps.Keys(r.state.values.base)))
	for key, v := range r.state.values.base {
		d["state "+key] = fmt.Sprintf("%s at %d", v.json, v.version)
	}
	for key, v := range r.state.kv.values.base {
		d["kv "+key] = fmt.Sprintf("%s until %v", v.bytes, v.expires.UTC())
	}
	say("topics", r.topics.Capture())
	say("held", []any{r.account.summary(r.tenant, r.state.held()), countHeld(r.t, r.log)})
	say("cursors", r.cursors)
	say("bad", append([]BadRecord{}, r.bad.list...))
	var emits []string
	for _, e := range r.emits {
		emits = append(emits, fmt.Sprint(e.seq, e.depth, string(e.event.AppendJSON(nil))))
	}
	say("emits", emits)
	for id, x := range r.actions.open {
		d["action "+id] = fmt.Sprintf("%+v", *x)
	}
	var decided []string
	for _, b := range append(slices.Clone(r.outbox.full), &r.outbox.cur) {
		for _, rec := range b.recs {
			decided = append(decided, fmt.Sprint(rec.Kind, rec.Key, string(rec.Body)))
		}
		for _, cmd := range b.commands {
			decided = append(decided, fmt.Sprintf("%s %s %d %s", cmd.Key, cmd.Plugin, cmd.Attempt, cmd.Args))
		}
	}
	say("decided", decided)
	return d
}

// future is what a copy of the matcher says to events that are always the same. What
// it holds whose time is up makes no difference to that.
func (r *laneRig) future() []string {
	r.t.Helper()
	var draining []cep.Source
	for _, rule := range r.matcher.Draining() {
		draining = append(draining, rule.Source())
	}
	older, err := r.lib.older(draining)
	require.NoError(r.t, err)
	m, err := cep.RestoreMatcher(r.rules.Program, cep.Options{Tenant: r.tenant}, r.matcher.Capture().Append(nil), older...)
	require.NoError(r.t, err)
	said := []string{m.Now().String(), fmt.Sprint(m.Stats().Events, m.Stats().Matches)}
	var matches []cep.Match
	rnd := rand.New(rand.NewPCG(5, 5))
	for i := range 80 {
		at := r.matcher.Now().Add(time.Duration(i*i) * 20 * time.Millisecond)
		e := ev(string("abcd"[rnd.IntN(4)]), 100_000+i, fmt.Sprintf(`{"u":%d}`, rnd.IntN(4)))
		e.Time = at
		matches = m.Feed(&e, cep.Position{Lane: 1, Seq: uint64(1_000_000 + i)}, at, matches)
	}
	matches = m.Advance(r.matcher.Now().Add(3*time.Hour), cep.Position{Lane: 1, Seq: 2_000_000}, matches)
	for i := range matches {
		said = append(said, string(matches[i].AppendJSON(nil)))
	}
	return append(said, fmt.Sprintf("%+v", m.Stats()))
}

// someRules draws an app: its rules are in other orders, in other versions, there
// or not.
func someRules(rnd *rand.Rand) []RuleFile {
	within := func() string { return []string{"10s", "20s", "1h"}[rnd.IntN(3)] }
	do := func() string {
		return []string{"", "do: [{run: p, retry: {max: 2, backoff: 1h, jitter: none}, undo: {run: q}}, {emit: {type: d, data: {u: 1}}}, {run: p}]\n", "do: [{run: p}]\n"}[rnd.IntN(3)]
	}
	docs := []string{
		"rule: seq\nwhen: {pattern: 'a then b', define: {a: type == \"a\", b: type == \"b\"}, by: data.u, within: " + within() + "}\n" + do(),
		"rule: seq2\nwhen: {pattern: 'a then d', define: {a: type == \"a\", d: type == \"d\"}, by: data.u, within: " + within() + "}\n" + do(),
		"rule: any\nwhen: {pattern: 'a then any b', define: {a: type == \"a\", b: type == \"b\"}, by: data.u, within: " + within() + "}\n",
		"rule: burst\nwhen: {pattern: 'c{3}', define: {c: type == \"c\"}, within: " + within() + "}\n" + do(),
		"rule: one\nwhen: type == \"b\" && data.u < " + fmt.Sprint(rnd.IntN(4)) + "\n" + do(),
		"rule: sum\nwhen: {window: tumbling " + []string{"10s", "20s", "1m"}[rnd.IntN(3)] + ", where: 'type == \"a\"', by: data.u, let: {n: count()}, having: n > 2}\n" + do(),
		"rule: d\nwhen: type == \"d\"\n" + do(),
	}
	rnd.Shuffle(len(docs), func(i, j int) { docs[i], docs[j] = docs[j], docs[i] })
	n := 3 + rnd.IntN(len(docs)-2)
	at := rnd.IntN(n)
	files := []RuleFile{{Name: "rules/a.yaml", Text: strings.Join(docs[:at], "---\n")}, {Name: "rules/b.yaml", Text: strings.Join(docs[at:n], "---\n")}}
	return slices.DeleteFunc(files, func(f RuleFile) bool { return f.Text == "" })
}

// act does one random thing to a running lane.
func (r *laneRig) act(rnd *rand.Rand, n *int) {
	ctx := r.t.Context()
	switch k := rnd.IntN(20); {
	case k < 9:
		r.submit(rnd, n)
	case k < 11:
		r.put(someRules(rnd))
	case k < 12:
		in := intake{&admission{tenant: r.tenant, log: r.log, now: time.Now}, "src"}
		*n++
		bad := in.report(testBad(*n), true)
		rec := in.trusted(&bad, false)
		rec.Flags |= flagReport
		require.NoError(r.t, in.commit(ctx, []eventlog.Record{rec, {Kind: eventlog.Checkpoint, Tenant: r.tenant, Key: fmt.Sprint("src", rnd.IntN(2)), Body: fmt.Append(nil, *n)}}, in.write))
	case k < 13:
		r.free()
	case k < 14:
		r.letters(rnd)
	case k < 15:
		r.settle()
	default:
		require.NoError(r.t, r.snapshotNow(ctx))
	}
}

// submit sends some events.
func (r *laneRig) submit(rnd *rand.Rand, n *int) {
	admit := admission{tenant: r.tenant, log: r.log, now: time.Now}
	var list []event.Event
	for range 1 + rnd.IntN(12) {
		*n++
		list = append(list, ev(string("abcd"[rnd.IntN(4)]), *n, fmt.Sprintf(`{"u":%d}`, rnd.IntN(4))))
	}
	require.NoError(r.t, admit.accept(r.t.Context(), list))
}

// letters redrives or drops what failed.
func (r *laneRig) letters(rnd *rand.Rand) {
	ctx := r.t.Context()
	require.NoError(r.t, r.ask(ctx, func() {
		for _, d := range r.flows.DeadLetters() {
			switch rnd.IntN(3) {
			case 0:
				assert.NoError(r.t, r.redrive(ctx, d.Execution))
			case 1:
				assert.NoError(r.t, r.discard(ctx, d.Execution))
			}
		}
		for _, b := range slices.Clone(r.bad.list) {
			if rnd.IntN(2) == 0 {
				assert.NoError(r.t, r.discard(ctx, b.ID))
			}
		}
	}))
}

// TestSnapshotEqualsReplay lets random things happen to a lane, stops it dead at a
// random moment, again and again, and recovers it from each snapshot there is and
// from the whole log: all give the same lane.
func TestSnapshotEqualsReplay(t *testing.T) {
	stories := 3
	if os.Getenv("RHOST_SOAK") != "" {
		stories = 300
	}
	for range stories {
		seed := rand.Uint64()
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { equalsReplay(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func equalsReplay(t *testing.T, rnd *rand.Rand) {
	dir := filepath.Join(shortDir(t), "log")
	notes := &notesInMemory{}
	events := 0
	for range 4 {
		r := rig(t, dir, notes, time.Now)
		r.run()
		if r.set.row == "" {
			r.put(someRules(rnd))
		}
		for range 10 + rnd.IntN(25) {
			r.act(rnd, &events)
		}
		r.crash()

		at := time.Now() // executions that are decided anew begin when the lane is recovered
		now := func() time.Time { return at }
		whole := rig(t, dir, nil, now)
		want := whole.dump()
		whole.crash()
		for i := range notes.notes[:min(len(notes.notes), 4)] {
			alone := &notesInMemory{notes: notes.notes[i : i+1]}
			r := rig(t, dir, alone, now)
			require.Empty(t, r.unreadable)
			got := r.dump()
			r.crash()
			sameDump(t, want, got, fmt.Sprintf("recovered from the latest snapshot but %d", i))
		}
	}
}

func testBad(n int) connect.BadRecord {
	return connect.BadRecord{Position: fmt.Sprint("line ", n), Reason: "no JSON", Raw: []byte("{")}
}

// sameDump compares two lanes part by part, and shows where they part.
func sameDump(t *testing.T, want, got map[string]string, how string) {
	t.Helper()
	require.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)), how)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		w, g := want[name], got[name]
		at := 0
		for at < min(len(w), len(g)) && w[at] == g[at] {
			at++
		}
		from := max(at-200, 0)
		require.True(t, w == g, "%s: %s is\n%s\nand not\n%s", how, name, g[from:min(len(g), at+200)], w[from:min(len(w), at+200)])
	}
}
