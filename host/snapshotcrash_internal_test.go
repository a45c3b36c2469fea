package host

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/notify"
	"github.com/rhost/rhost/host/workflow"
	"github.com/rhost/rhost/tenants"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestCrashWhilePublishing stops a lane dead at each place that a snapshot comes
// through: what is recovered is what the whole log gives, and the next snapshot is
// taken as if nothing had been.
func TestCrashWhilePublishing(t *testing.T) {
	for i, place := range []string{"written", "sealed", "kept", "published"} {
		t.Run(place, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(uint64(i), 2))
			dir, notes, n := filepath.Join(shortDir(t), "log"), &notesInMemory{}, 0
			r := rig(t, dir, notes, time.Now)
			there, gone := make(chan struct{}), make(chan struct{})
			times := 0
			r.snaps.reached = func(at string) {
				if at == place {
					if times++; times == 2 {
						close(there)
						<-gone
					}
				}
			}
			r.run()
			r.put(someRules(rnd))
			require.NoError(t, r.snapshotNow(t.Context()))
			for n < 30 {
				r.submit(rnd, &n)
			}
			go func() { _ = r.snapshotNow(t.Context()) }() // which does not come to an end
			select {
			case <-there:
			case <-time.After(patience):
				require.Fail(t, "the place is not reached")
			}
			r.stop()
			close(gone)
			require.NoError(t, r.group.Wait())
			require.NoError(t, r.log.Close())

			at := time.Now()
			now := func() time.Time { return at }
			whole := rig(t, dir, nil, now)
			want := whole.dump()
			whole.crash()
			r = rig(t, dir, notes, now)
			sameDump(t, want, r.dump(), "recovered after a crash")
			assert.NotNil(t, r.snaps.latest, "the one before, at least")
			r.run()
			r.free()
			r.settle()
			require.NoError(t, r.snapshotNow(t.Context()))
			r.crash()
		})
	}
}

// TestSnapshotWaitsForItsBatch: what is decided and not on disk must not be in a
// snapshot that counts.
func TestSnapshotWaitsForItsBatch(t *testing.T) {
	dir, notes := filepath.Join(shortDir(t), "log"), &notesInMemory{}
	r := rig(t, dir, notes, time.Now)
	defer r.crash()
	job := &snapshotJob{capture: r.capture(), acked: make(chan struct{})}
	r.outbox.mark(job)
	b := r.outbox.next(false)
	require.NotNil(t, b, "a batch of its own, though there was nothing to say")
	ended := make(chan snapshotEnd, 1)
	go func() { ended <- r.publish(t.Context(), job) }()
	select {
	case <-ended:
		require.Fail(t, "published before its batch was on disk")
	case <-time.After(50 * time.Millisecond):
	}
	require.Empty(t, notes.notes)
	seq, err := r.write(t.Context(), b.recs)
	require.NoError(t, err)
	require.NoError(t, r.onAck(ack{batch: b, seq: seq}))
	end := <-ended
	require.NoError(t, end.err)
	require.Equal(t, seq, end.note.Run)
	require.Len(t, notes.notes, 1)
}

// TestUnreadableSnapshots damages snapshots in every way: each is reported, and the
// one before is used; when none is left, the whole log.
func TestUnreadableSnapshots(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 3))
	dir, notes, n := filepath.Join(shortDir(t), "log"), &notesInMemory{}, 0
	r := rig(t, dir, notes, time.Now)
	r.run()
	r.put(someRules(rnd))
	for range 2 {
		r.submit(rnd, &n)
		require.NoError(t, r.snapshotNow(t.Context()))
	}
	r.submit(rnd, &n)
	r.settle()
	whole, err := r.log.GetBlob(t.Context(), r.snaps.latest.Digest)
	require.NoError(t, err)
	r.crash()
	at := time.Now()
	now := func() time.Time { return at }
	r = rig(t, dir, nil, now)
	want := r.dump()
	r.crash()

	note := func(b []byte, change func(*snapshotNote)) storedNote {
		log, err := eventlog.Open(t.Context(), eventlog.Config{Dir: dir})
		require.NoError(t, err)
		digest := eventlog.BlobDigest(b)
		require.NoError(t, log.PutBlob(t.Context(), digest, b))
		require.NoError(t, log.Close())
		n, err := readNote(notes.notes[0].body)
		require.NoError(t, err)
		n.Digest = digest
		change(n)
		text, err := json.Marshal(n)
		require.NoError(t, err)
		return storedNote{body: text}
	}
	same := func(*snapshotNote) {}
	flipped := append([]byte{}, whole...)
	flipped[len(flipped)/2] ^= 4
	later := append([]byte{}, whole...)
	later[4] = snapshotVersion + 1
	for name, bad := range map[string]storedNote{
		"note unreadable": {err: eventlog.ErrNotFound},
		"note of later":   note(whole, func(n *snapshotNote) { n.Version = noteVersion + 1 }),
		"note of another": note(whole, func(n *snapshotNote) { n.Run-- }),
		"no JSON":         {body: []byte("{")},
		"blob is missing": note(whole, func(n *snapshotNote) { n.Digest = eventlog.BlobDigest([]byte("another")) }),
		"empty":           note(nil, same),
		"cut short":       note(whole[:len(whole)-9], same),
		"a flipped bit":   note(flipped, same),
		"of a later form": note(later, same),
	} {
		for others, list := range map[string][]storedNote{"others are good": {bad, notes.notes[1]}, "no other": {bad}} {
			r := rig(t, dir, &notesInMemory{notes: list}, now)
			assert.Len(t, r.unreadable, 1, "%s, %s", name, others)
			assert.Equal(t, len(list) == 2, r.snaps.latest != nil, "%s, %s", name, others)
			sameDump(t, want, r.dump(), name+", "+others)
			r.crash()
		}
	}
}

// smallCapture is a lane with a little of everything.
func smallCapture(t require.TestingT) (*laneCapture, *ruleLibrary) {
	set, err := CompileRules([]RuleFile{{Name: "rules/r.yaml", Text: "rule: r\nwhen: {pattern: 'a then b', define: {a: type == \"a\", b: type == \"b\"}, within: 1h}\ndo: [{run: p}]\n"}})
	require.NoError(t, err)
	lib := newRuleLibrary(noBlobs{})
	lib.know(set)
	m := cep.NewLanes(set.Program, cep.Options{Tenant: "default"}, 1, event.Path{})
	first := ev("a", 1, `{"u":1}`)
	m.Feed([]cep.Item{{Event: &first, Pos: cep.Position{Seq: 1}, At: testDay}}, &cep.Found{})
	flows := workflow.NewEngine(workflow.Options{Definition: lib.definition})
	out := flows.Start(lib.flow(set.all()[0].Version), workflow.StartInfo{Key: "m-1", Rule: "r", Version: set.all()[0].Version, Payload: workflow.Payload{payloadVersion, 0, payloadBlob, 0}}, testDay)
	require.Len(t, out.Commands, 1)
	set.edited = 3
	c := &laneCapture{
		tenant: "default", origin: "ORIGIN", at: eventlog.Position{Frame: 7, Index: 3}, taken: testDay, rules: set, began: testDay,
		since: map[string]time.Time{"r": testDay.Add(time.Second)}, revision: &Revision{At: testDay, Digest: set.Digest, Text: "+r"},
		matcher: m.Capture(), draining: set.all(), flows: flows.Capture(),
		values:  map[string]stateValue{"s": {json: json.RawMessage(`{"n":1}`), version: 4}, "gone": {version: 9}},
		kv:      map[string]kvValue{"k": {bytes: []byte{0, 1}, expires: testDay}, "empty": {bytes: []byte{}}},
		cursors: map[string][]byte{"src": []byte("7")}, bad: []BadRecord{{ID: "bad/1", At: testDay, Source: "src", Position: "1", Reason: "why"}},
		holdings: holdings{
			upto: 9, parts: []tenants.Segment{{First: 2, Charges: []tenants.Charge{{Tenant: "default", Bytes: 77}}}, {First: 5}},
			blobs: map[string]int64{"sha256:00": 300_000},
		},
		topics: []notify.Topic{{Name: "orders", Epoch: "e", Last: 9, Used: 12, Entries: []notify.Entry{
			{Offset: 8, Message: notify.Message{Topic: "orders", At: testDay, Rule: "r", Match: "m", Payload: json.RawMessage("1"), Place: notify.Place{Epoch: "e", Offset: 8}}},
			{Offset: 9, Message: notify.Message{Topic: "orders", At: testDay, Payload: json.RawMessage("null"), Place: notify.Place{Epoch: "e", Offset: 9}}},
		}}, {Name: "quiet", Epoch: "f", Last: 3, Used: 4}},
		tail: captureTail{run: 11, emits: []emitted{{event: event.Event{ID: "e", Source: "/s", Type: "t", Time: testDay, Data: []byte("1")}, depth: 2, seq: 5}}},
	}
	return c, lib
}

func encoded(t require.TestingT) []byte {
	c, lib := smallCapture(t)
	b, err := c.encode(lib, func() error { return nil })
	require.NoError(t, err)
	c.flows.End()
	return b
}

// The files were written by the versions of the form, and must be readable for ever.
func TestSnapshotGolden(t *testing.T) {
	golden := func(version int) []byte {
		file := filepath.Join("testdata", fmt.Sprintf("lane-v%d.snapshot", version))
		if *update && version == snapshotVersion {
			require.NoError(t, os.WriteFile(file, encoded(t), 0o600))
		}
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		return b
	}
	for version, b := range map[int][]byte{1: golden(1), 2: golden(2), 3: encoded(t)} {
		c, lib := smallCapture(t)
		if version < 2 {
			c.holdings, c.topics = holdings{}, nil
		}
		s, err := readSnapshot(b, workflow.Options{Definition: lib.definition})
		require.NoError(t, err)
		assert.Equal(t, []any{c.tenant, c.origin, c.at, c.taken}, []any{s.tenant, s.origin, s.at, s.taken})
		assert.Equal(t, []any{c.rules.row, c.rules.Digest, 3, c.began, c.since}, []any{s.row, s.digest, s.edited, s.began, s.since})
		assert.Nil(t, s.order, "the files have the same")
		assert.Equal(t, c.revision, s.revision)
		assert.Equal(t, []any{c.values, c.kv, c.cursors, c.bad}, []any{s.values, s.kv, s.cursors, s.bad})
		assert.Equal(t, c.tail, captureTail{s.run, s.emits})
		assert.Equal(t, c.holdings, s.holdings)
		assert.Equal(t, c.topics, s.topics)
		assert.Equal(t, c.draining[0].Source(), s.draining[0])
		assert.Empty(t, s.past, "the steps are those of a rule in force")
		assert.Equal(t, c.matcher.Append(nil), s.matcher)
		assert.Equal(t, 1, s.flows.Len())
	}
}

func FuzzReadSnapshot(f *testing.F) {
	whole := encoded(f)
	f.Add(whole, false)
	var plain []byte
	require.NoError(f, unseal(whole, func(r *formReader) {
		for c, err := r.R.ReadByte(); err == nil; c, err = r.R.ReadByte() {
			plain = append(plain, c)
		}
	}))
	f.Add(plain, true)
	f.Fuzz(func(t *testing.T, b []byte, inside bool) {
		if inside {
			s, err := newSealer()
			require.NoError(t, err)
			_, err = s.z.Write(b)
			require.NoError(t, err)
			b, err = s.seal()
			require.NoError(t, err)
		}
		s, err := readSnapshot(b, workflow.Options{})
		if err != nil {
			return
		}
		l := newLane(laneParts{tenant: s.tenant, lib: newRuleLibrary(noBlobs{}), state: newState(), now: time.Now})
		if err := l.restore(context.Background(), s, false); err != nil {
			assert.NotEmpty(t, fmt.Sprint(err))
			assert.Nil(t, l.matcher, "nothing is in use")
		}
	})
}

// BenchmarkSnapshot takes snapshots of a lane with 65,536 partial matches, 100,000
// executions that wait, and 100 MB of state: how long the lane stands still, and what
// the rest takes beside it.
func BenchmarkSnapshot(b *testing.B) {
	const runs, open, values = 1 << 16, 100_000, 100_000
	set, err := CompileRules([]RuleFile{{Name: "rules/r.yaml", Text: "rule: r\nwhen: {pattern: 'a{2} then b', define: {a: type == \"a\", b: type == \"b\"}, by: data.u, within: 1h}\ndo: [{run: p, retry: {max: 2, backoff: 1h}}]\n"}})
	require.NoError(b, err)
	l := newLane(laneParts{tenant: "default", lib: newRuleLibrary(noBlobs{}), state: newState(), now: time.Now, lanes: laneLayout{n: 1}})
	l.lib.know(set)
	l.rules, l.matcher = set, cep.NewLanes(set.Program, cep.Options{Tenant: "default"}, 1, event.Path{})
	l.flows = workflow.NewEngine(l.flowOptions(b.Context()))
	var found cep.Found
	for i := range runs {
		e := ev("a", i, fmt.Sprintf(`{"u":%d,"host":"web-17","method":"password"}`, i))
		l.matcher.Feed([]cep.Item{{Event: &e, Pos: cep.Position{Seq: uint64(i)}, At: testDay}}, &found)
	}
	version := set.all()[0].Version
	for i := range open {
		out := l.flows.Start(l.lib.flow(version), workflow.StartInfo{Key: fmt.Sprint("m-", i), Rule: "r", Version: version, Payload: workflow.Payload(`{"match":{"tenant":"default"},"event":{"id":"e","data":{"u":1}}}`)}, testDay)
		l.flows.Complete(out.Commands[0].Fail(workflow.FailTimeout, "timed out"), testDay)
	}
	for i := range values {
		l.state.set(fmt.Sprint("key-", i), json.RawMessage(fmt.Sprintf(`{"n":%d,"text":%q}`, i, make([]byte, 250))))
	}
	var pause, wrote time.Duration
	size := 0
	for b.Loop() {
		began := time.Now()
		c := l.capture()
		pause += time.Since(began)
		began = time.Now()
		snapshot, err := c.encode(l.lib, func() error { return nil })
		require.NoError(b, err)
		wrote, size = wrote+time.Since(began), len(snapshot)
		c.flows.End()
		l.state.melt()
	}
	b.ReportMetric(float64(pause.Microseconds())/1000/float64(b.N), "ms-pause")
	b.ReportMetric(float64(wrote.Microseconds())/1000/float64(b.N), "ms-beside")
	b.ReportMetric(float64(size), "bytes")
}
