package host

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host/connect"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/notify"
	"github.com/rhost/rhost/host/workflow"
)

// simReal runs what the simulation runs on the real engine, with real time and real
// goroutines: processes that own a log one after the other, and end in the middle of
// what they do. What comes of it is checked in the same way. Nothing is stepped, so a
// run is not the same twice; what lies between the steps, the loop of a lane and the
// servers themselves, is under test here.
type simReal struct {
	t     *testing.T
	dir   string
	began time.Time

	mu sync.Mutex // guards the world
	w  *simWorld
	g  *simGroup

	frozen time.Time // when the clock was stopped; guarded by clock
	clock  sync.Mutex
}

func newSimReal(t *testing.T, seed uint64) *simReal {
	w := &simWorld{seed: seed, rng: rand.New(rand.NewPCG(seed, 7)), now: testDay, did: make(map[string]int), real: true}
	r := &simReal{t: t, dir: filepath.Join(shortDir(t), "log"), began: time.Now(), w: w}
	r.g = &simGroup{w: w, blobs: make(map[string][]byte), told: make(map[string]int), sent: make(map[simFrame]uint64), variant: w.pick(simVariants)}
	r.g.ev, r.g.run = newSimHistory(r, r.g, true), newSimHistory(r, r.g, false)
	for s := range 2 {
		r.g.sources = append(r.g.sources, &simSource{name: fmt.Sprint("source", s), lines: 20 + w.pick(20)})
	}
	w.groups = []*simGroup{r.g}
	return r
}

// now is real time, from the day of the test on.
func (r *simReal) now() time.Time {
	r.clock.Lock()
	defer r.clock.Unlock()
	if !r.frozen.IsZero() {
		return r.frozen
	}
	return testDay.Add(time.Since(r.began))
}

var simSpans = regexp.MustCompile(`\b([0-9]+)(s|m)\b`)

// rules are the simulation's, with a hundredth of their times.
func (r *simReal) rules() []RuleFile {
	files := simRules(r.g.variant)
	for i := range files {
		files[i].Text = simSpans.ReplaceAllStringFunc(files[i].Text, func(text string) string {
			d, err := time.ParseDuration(text)
			require.NoError(r.t, err)
			return strconv.Itoa(int(d.Milliseconds()/100)) + "ms"
		})
	}
	return files
}

// simLife is a process.
type simLife struct {
	*simReal
	o     *simOwner
	stop  context.CancelFunc
	group *errgroup.Group
	todo  chan workflow.Command
	reads sync.WaitGroup
}

// begin starts a process.
func (r *simReal) begin() *simLife {
	log, err := eventlog.Open(r.t.Context(), eventlog.Config{Dir: r.dir, Now: r.now})
	require.NoError(r.t, err)
	held := newHeldBlobs(log)
	r.w.started++
	r.g.lanes = r.w.drawLanes()
	o := &simOwner{w: r.w, g: r.g, id: r.w.started, log: log, held: held, admit: &admission{tenant: "default", log: log, now: r.now}}
	l := &simLife{simReal: r, o: o, todo: make(chan workflow.Command, 1<<10)}
	o.lane = newLane(laneParts{
		tenant: "default", log: log, blobs: held, lib: newRuleLibrary(held), hub: notify.NewHub(), state: newState(), start: l.start,
		lanes: r.g.layout(), inline: []int{0, 300, 700}[r.w.pick(3)], ticks: true, logger: simQuiet, now: r.now,
		every: time.Millisecond, snapshots: logSnapshots{held}, newLog: func() string { return "origin0" },
	})
	require.NoError(r.t, o.lane.recover(r.t.Context()))
	if o.lane.snaps.latest != nil {
		r.w.did["a lane was recovered from a snapshot"]++
	}
	cursors := make(map[*simSource]int)
	for _, s := range r.g.sources {
		cursors[s], _ = strconv.Atoi(string(o.lane.cursors[s.name])) // none is 0
	}
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.group, ctx = errgroup.WithContext(ctx)
	l.group.Go(func() error { return log.Committer().Run(ctx) })
	l.group.Go(func() error { return o.lane.Run(ctx) })
	for range 3 {
		l.group.Go(func() error { return l.calls(ctx) })
	}
	l.put(ctx)
	for _, s := range r.g.sources {
		l.reads.Add(1)
		l.group.Go(func() error { defer l.reads.Done(); return l.source(ctx, s, cursors[s]) })
	}
	return l
}

// put puts rules in force.
func (l *simLife) put(ctx context.Context) {
	lane := l.o.lane
	require.NoError(l.t, lane.untilPast(ctx, l.o.log.Tail()))
	was := lane.inForce.Load()
	set, err := was.update(l.rules())
	require.NoError(l.t, err)
	if set.Digest == was.Digest {
		return
	}
	require.NoError(l.t, lane.lib.keep(ctx, set))
	_, err = l.o.log.Committer().Commit(ctx, []eventlog.Record{{Kind: eventlog.Revision, Tenant: "default", Key: set.Digest}})
	require.NoError(l.t, err)
}

func (l *simLife) start(cmd workflow.Command) bool {
	l.mu.Lock()
	since := l.o.log.RunLog().Tail()
	l.g.calls = append(l.g.calls, simDone{commandID(cmd.Execution, cmd.Step, cmd.Undo), cmd.Attempt, cmd.Key, since, l.o.id})
	l.mu.Unlock()
	l.todo <- cmd
	return true
}

// calls answers commands.
func (l *simLife) calls(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case cmd := <-l.todo:
			l.mu.Lock()
			res := l.o.act(cmd)
			l.mu.Unlock()
			select {
			case l.o.lane.results <- res:
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// source reads a source to its end.
func (l *simLife) source(ctx context.Context, s *simSource, line int) error {
	for line < s.lines {
		upTo := min(s.lines, line+3)
		b := connect.Batch{Cursor: []byte(strconv.Itoa(upTo))}
		for ; line < upTo; line++ {
			if s.bad(line) {
				b.Bad = append(b.Bad, connect.BadRecord{Position: fmt.Sprint("line ", line), Reason: "no JSON", Raw: []byte("{")})
			} else {
				b.Events = append(b.Events, s.event(line))
			}
		}
		if _, err := l.o.log.Committer().Commit(ctx, intake{l.o.admit, s.name}.records(b)); err != nil {
			return nil //nolint:nilerr // the process ends; the next one reads on
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}

// client sends new events, and those it was not told of, until ctx ends.
func (l *simLife) client(ctx context.Context) {
	for ctx.Err() == nil {
		l.mu.Lock()
		var batch []*simEvent
		var recs []eventlog.Record
		for range 1 + l.w.pick(4) {
			var e *simEvent
			if len(l.g.events) > 0 && l.w.once(4) {
				e = l.g.events[l.w.pick(len(l.g.events))]
			} else {
				e = l.g.newEvent(l.now())
			}
			if !slices.Contains(batch, e) {
				rec, err := l.o.admit.record(&e.ev, true)
				require.NoError(l.t, err)
				batch, recs = append(batch, e), append(recs, rec)
			}
		}
		l.mu.Unlock()
		_, err := l.o.log.Committer().Commit(ctx, recs)
		l.mu.Lock()
		for _, e := range batch {
			e.acked = e.acked || err == nil
			e.unsure = e.unsure || err != nil
		}
		l.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
}

// end ends the process where it is.
func (l *simLife) end() {
	l.stop()
	require.NoError(l.t, l.group.Wait())
}

// rest waits until nothing is left to do, and stops the clock there.
func (l *simLife) rest() {
	l.reads.Wait()
	require.Eventually(l.t, func() (done bool) {
		require.NoError(l.t, l.o.lane.ask(l.t.Context(), func() {
			at, waits := l.o.lane.matcher.NextDeadline()
			if done = l.o.lane.quiet() && !l.o.lane.outbox.stale() && (!waits || at.Sub(l.now()) > time.Minute); done {
				now := l.now()
				l.clock.Lock()
				l.frozen, l.w.now = now, now
				l.clock.Unlock()
			}
		}))
		return done
	}, patience, 20*time.Millisecond, "the lane does not come to rest")
}

// Frames are all frames of a stream, as the folder has them.
func (r *simReal) Frames(_ int, kind eventlog.StreamKind) (first uint64, frames [][]byte) {
	cut, err := eventlog.TakeCut(r.dir)
	require.NoError(r.t, err)
	name, _ := kind.NamesOf(0)
	_, err = cut.Scan(r.t.Context(), name, 0, func(e *eventlog.Entry) error {
		frames = append(frames, slices.Clone(e.Body))
		return nil
	}, nil)
	require.NoError(r.t, err)
	return 1, frames
}

// Blob is a blob that the log has.
func (r *simReal) Blob(_ int, digest string) ([]byte, bool) {
	b, ok := r.g.blobs[digest]
	return b, ok
}

// check checks what came of it.
func (l *simLife) check() {
	digests, _, err := l.o.log.Blobs(l.t.Context())
	require.NoError(l.t, err)
	for _, digest := range digests {
		b, err := l.o.log.GetBlob(l.t.Context(), digest)
		require.NoError(l.t, err)
		l.g.blobs[digest] = b
	}
	l.w.checkGroup(l.g, l.o)
	require.Empty(l.t, l.w.problems[:min(5, len(l.w.problems))], "seed %d", l.w.seed)
}

// TestSimReal holds the real engine to the promises of the simulation.
func TestSimReal(t *testing.T) {
	budget := 3 * time.Second
	if os.Getenv("RHOST_SOAK") != "" {
		budget = time.Minute
	}
	for began := time.Now(); time.Since(began) < budget; {
		r := newSimReal(t, rand.Uint64())
		for range 2 + r.w.pick(4) {
			l := r.begin()
			ctx, stop := context.WithCancel(t.Context())
			var clients sync.WaitGroup
			for range 2 {
				clients.Go(func() { l.client(ctx) })
			}
			time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
			l.end() // while clients send
			stop()
			clients.Wait()
			require.NoError(t, l.o.log.Close())
			r.g.variant = r.w.pick(simVariants)
		}
		r.w.sound = true
		l := r.begin()
		l.rest()
		l.end()
		l.check()
		require.NoError(t, l.o.log.Close())
		t.Logf("seed %d: %d events, %d calls, %d frames of RUN, %d recoveries from a snapshot, %d again under their key",
			r.w.seed, len(r.g.events), len(r.g.calls), len(r.g.run.frames), r.w.did["a lane was recovered from a snapshot"], r.w.did["an action ran again with its key"])
	}
}
