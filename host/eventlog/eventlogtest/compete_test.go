package eventlogtest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/eventlog/eventlogtest"
)

// contest is a group that two processes want to own, on servers that misbehave.
type contest struct {
	choose  func(n int) int
	model   *eventlogtest.Model
	writers [2]*writer
	epoch   uint64
	now     int64
	bodies  int
	acked   []string // bodies, in the order of their acknowledgements
	runs    []string // the same of RUN
	refused []string // bodies of which it was said that they are not stored
	epochOf uint64   // of the last claim that succeeded
}

// writer is a process. Its log is nil while it is down.
type writer struct {
	name    string
	node    *eventlogtest.Node
	log     *eventlog.Log
	epoch   uint64 // of its claim; 0 before
	pending []submitted
}

type submitted struct {
	body    string
	after   uint64 // epoch of the newest successful claim when it was submitted
	pending *eventlog.Pending
}

func newContest(choose func(int) int, c eventlogtest.Config) *contest {
	c.Choose = choose
	x := &contest{choose: choose, model: eventlogtest.New(c)}
	for i := range x.writers {
		x.writers[i] = &writer{name: fmt.Sprintf("writer-%d", i), node: x.model.Node()}
	}
	return x
}

// step lets something happen, and reports a promise that was broken.
func (x *contest) step() error {
	x.now += int64(x.choose(1000))
	w := x.writers[x.choose(2)]
	what := x.choose(20)
	switch {
	case what == 19:
		x.model.Crash()
		return nil
	case what == 18:
		w.node.Cut(x.choose(3) == 2)
		return nil
	case what == 17:
		x.model.Land()
		return nil
	case w.log == nil:
		return x.start(w)
	case what == 16:
		w.log, w.epoch, w.pending = nil, 0, nil // it is killed
		return nil
	case what < 7:
		return x.submit(w)
	case what < 14:
		return x.commit(w)
	}
	return x.run(w)
}

// start opens the log and claims the group.
func (x *contest) start(w *writer) error {
	x.epoch++
	l, err := eventlog.OpenStore(context.Background(), w.node.Store(0), eventlog.Config{
		Now: func() time.Time { return time.Unix(0, x.now) }, Writer: x.epoch,
	})
	if err == nil {
		err = l.Claim(context.Background(), w.name, x.epoch)
	}
	if broken := (*eventlog.CorruptError)(nil); errors.As(err, &broken) {
		return fmt.Errorf("start %s: %w", w.name, err)
	}
	if err == nil {
		w.log, w.epoch = l, x.epoch
		x.epochOf = x.epoch
	}
	return nil // it tries again later
}

func (x *contest) submit(w *writer) error {
	x.bodies++
	body := fmt.Sprintf("%s %d", w.name, x.bodies)
	p, err := w.log.Committer().Submit([]eventlog.Record{{Kind: eventlog.Event, Tenant: w.name, Body: []byte(body)}})
	if errors.Is(err, eventlog.ErrClosed) {
		w.log = nil
		return nil
	}
	w.pending = append(w.pending, submitted{body: body, after: x.epochOf, pending: p})
	return err
}

func (x *contest) commit(w *writer) error {
	_, stepErr := w.log.Committer().Step(context.Background())
	var left []submitted
	for _, s := range w.pending {
		switch _, done, err := s.pending.Poll(); {
		case !done:
			left = append(left, s)
		case err == nil:
			if s.after > w.epoch {
				return fmt.Errorf("%q was acknowledged to epoch %d after %d had claimed the group", s.body, w.epoch, s.after)
			}
			x.acked = append(x.acked, s.body)
		case !errors.Is(err, eventlog.ErrUncertain):
			x.refused = append(x.refused, s.body)
		}
	}
	w.pending = left
	return x.ended(w, stepErr)
}

func (x *contest) run(w *writer) error {
	x.bodies++
	body := fmt.Sprintf("%s %d", w.name, x.bodies)
	stale := x.epochOf > w.epoch
	_, err := w.log.RunLog().Append(context.Background(), []eventlog.RunRecord{{Kind: 1, Body: []byte(body)}})
	if err == nil {
		if stale {
			return fmt.Errorf("run frame %q was acknowledged to epoch %d after %d had claimed the group", body, w.epoch, x.epochOf)
		}
		x.runs = append(x.runs, body)
	} else if !errors.Is(err, eventlog.ErrUncertain) {
		x.refused = append(x.refused, body)
	}
	return x.ended(w, err)
}

// ended takes a log down whose owner has lost it.
func (x *contest) ended(w *writer, err error) error {
	if broken := (*eventlog.CorruptError)(nil); errors.As(err, &broken) {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	if errors.Is(err, eventlog.ErrFenced) {
		if x.epoch == w.epoch { // a claim that failed may have come half-way
			return fmt.Errorf("%s is fenced, and nobody has tried to claim the group since: %w", w.name, err)
		}
		w.log, w.epoch, w.pending = nil, 0, nil
	}
	return nil
}

// check reads the group with nothing going wrong any more.
func (x *contest) check() error {
	x.model.Set(func(c *eventlogtest.Config) { c.Rates, c.AckEarly = eventlogtest.Rates{}, false })
	for x.model.Land() {
	}
	l, err := eventlog.OpenStore(context.Background(), x.model.Node().Store(0), eventlog.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }() // the store in memory gives no error
	var stored, runs []string
	seqs := make(map[string]uint64)
	err = l.Read(context.Background(), eventlog.Position{}, func(f *eventlog.Frame) error {
		for _, r := range f.Records {
			if seqs[r.Tenant]++; r.LaneSeq != seqs[r.Tenant] {
				return fmt.Errorf("record %q has sequence %d, not %d", r.Body, r.LaneSeq, seqs[r.Tenant])
			}
			if r.Kind == eventlog.Event {
				stored = append(stored, string(r.Body))
			}
		}
		return nil
	})
	if err == nil {
		err = l.RunLog().Replay(context.Background(), 0, func(_ uint64, recs []eventlog.RunRecord) error {
			for _, r := range recs {
				if r.Kind != eventlog.RunClaim {
					runs = append(runs, string(r.Body))
				}
			}
			return nil
		})
	}
	for _, body := range append(stored, runs...) {
		if slices.Contains(x.refused, body) {
			err = errors.Join(err, fmt.Errorf("%q is stored, and its writer was told that it is not", body))
		}
	}
	return errors.Join(err, held("EV", x.acked, stored), held("RUN", x.runs, runs))
}

// held reports what was acknowledged and is not stored, in that order, or is
// stored twice.
func held(stream string, acked, stored []string) error {
	sorted := slices.Sorted(slices.Values(stored))
	if len(slices.Compact(sorted)) < len(stored) {
		return fmt.Errorf("%s: something is stored twice: %q", stream, stored)
	}
	rest := stored
	for _, body := range acked {
		i := slices.Index(rest, body)
		if i < 0 {
			return fmt.Errorf("%s: %q was acknowledged and is not stored in its place: %q", stream, body, stored)
		}
		rest = rest[i+1:]
	}
	return nil
}

func (x *contest) play(steps int) error {
	for range steps {
		if err := x.step(); err != nil {
			return err
		}
	}
	return x.check()
}

// TestTwoWriters: whatever the servers do, nothing acknowledged is lost or out of
// order, nothing refused is stored, nothing is there twice, and who was overtaken
// writes no more.
func TestTwoWriters(t *testing.T) {
	acked := 0
	rapid.Check(t, func(t *rapid.T) {
		x := newContest(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") },
			eventlogtest.Config{Rates: eventlogtest.Stormy})
		require.NoError(t, x.play(60))
		acked += len(x.acked) + len(x.runs)
	})
	for seed := range uint64(300) {
		x := newContest(eventlogtest.Seeded(seed), eventlogtest.Config{Rates: eventlogtest.Stormy})
		require.NoError(t, x.play(200), "seed %d", seed)
		acked += len(x.acked) + len(x.runs)
	}
	t.Logf("%d frames acknowledged", acked)
	assert.Greater(t, acked, 1000)
}

// TestPlantedFaultsAreFound: the test above would notice servers that do not keep
// their promises.
func TestPlantedFaultsAreFound(t *testing.T) {
	for _, tt := range []struct {
		name string
		c    eventlogtest.Config
	}{
		{"fence missing", eventlogtest.Config{Rates: eventlogtest.Stormy, NoFence: true}},
		{"ack before sync", eventlogtest.Config{Rates: eventlogtest.Stormy, AckEarly: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found := 0
			var first error
			for seed := range uint64(50) {
				if err := newContest(eventlogtest.Seeded(seed), tt.c).play(200); err != nil {
					found++
					first = err
				}
			}
			t.Logf("%d of 50 seeds find it, such as: %v", found, first)
			assert.Greater(t, found, 10)
		})
	}
}

// TestSameSeedSameRun: the choices decide everything.
func TestSameSeedSameRun(t *testing.T) {
	var frames [2][][]byte
	for i := range frames {
		x := newContest(eventlogtest.Seeded(7), eventlogtest.Config{Rates: eventlogtest.Stormy})
		require.NoError(t, x.play(400))
		_, frames[i] = x.model.Frames(0, eventlog.EventStream)
	}
	require.NotEmpty(t, frames[0])
	assert.Equal(t, frames[0], frames[1])
}
