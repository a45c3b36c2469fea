package eventlogtest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/eventlog/eventlogtest"
)

const dedupRecords = 40

// shrinking is a log whose start is released again and again, on servers that
// misbehave, by a process that is restarted again and again.
type shrinking struct {
	choose  func(n int) int
	model   *eventlogtest.Model
	node    *eventlogtest.Node
	log     *eventlog.Log
	starts  uint64
	now     int64
	sent    int              // records with a key
	records int              // all, claims included
	at      map[int]int      // records before one
	acked   []int            // numbers of records with a key that were acknowledged
	places  map[place]string // what was seen where
	purged  int              // releases that moved the start
	dups    int              // duplicates recognised
}

type place struct {
	lane uint32
	seq  uint64
}

func (x *shrinking) step() error {
	x.now += int64(x.choose(1000))
	what := x.choose(20)
	switch {
	case what == 19:
		x.model.Crash()
		return nil
	case x.log == nil:
		return x.start()
	case what == 18:
		x.log = nil
		return nil
	case what > 14:
		return x.release()
	case what > 11:
		_, err := x.log.RunLog().Append(context.Background(), []eventlog.RunRecord{{Kind: 1}})
		return broken(err)
	case what > 9 && len(x.acked) > 0:
		return x.again(x.acked[len(x.acked)-1-x.choose(len(x.acked))])
	}
	x.sent++
	x.records++
	x.at[x.sent] = x.records
	lane := uint32(0)
	if x.choose(10) == 9 {
		lane = uint32(1 + x.choose(5))
	}
	res, err := x.commit(lane, x.sent)
	if err == nil && res.Duplicates != nil {
		return fmt.Errorf("record %d is new, and counts as a duplicate", x.sent)
	}
	if err == nil {
		x.acked = append(x.acked, x.sent)
	}
	return broken(err)
}

// broken is err if it says that something is damaged or somebody else writes.
func broken(err error) error {
	if damage := (*eventlog.CorruptError)(nil); errors.As(err, &damage) || errors.Is(err, eventlog.ErrFenced) {
		return err
	}
	return nil
}

func (x *shrinking) start() error {
	x.starts++
	x.records++
	l, err := eventlog.OpenStore(context.Background(), x.node.Store(0), eventlog.Config{
		DedupRecords: dedupRecords, Writer: x.starts, Now: func() time.Time { return time.Unix(0, x.now) },
	})
	if err == nil {
		// What the process before had under way may arrive now.
		err = l.Claim(context.Background(), "me", x.starts)
	}
	if err != nil {
		return broken(err)
	}
	x.log = l
	return x.read()
}

func (x *shrinking) commit(lane uint32, n int) (eventlog.Result, error) {
	p, err := x.log.Committer().Submit([]eventlog.Record{{
		Kind: eventlog.Event, Lane: lane, Body: fmt.Append(nil, n), Dedup: eventlog.DedupKeyOf("", "", fmt.Sprint(n)),
	}})
	if err != nil {
		return eventlog.Result{}, err
	}
	if _, err := x.log.Committer().Step(context.Background()); err != nil {
		return eventlog.Result{}, err
	}
	res, done, err := p.Poll()
	if !done {
		return res, errors.New("a step has not answered what was submitted")
	}
	return res, err
}

// again sends a record again. It may be forgotten when enough came after it.
func (x *shrinking) again(n int) error {
	if x.records-x.at[n] >= dedupRecords {
		return nil
	}
	res, err := x.commit(0, n)
	if err == nil && res.Duplicates == nil {
		return fmt.Errorf("record %d of %d is accepted twice", n, x.sent)
	}
	x.dups++
	return broken(err)
}

func (x *shrinking) release() error {
	tail, runs := x.log.Tail(), x.log.RunLog().Tail()
	before := x.log.First()
	err := x.log.Release(context.Background(),
		eventlog.Position{Frame: tail.Frame - min(tail.Frame, uint64(x.choose(20)))}, runs-min(runs, uint64(x.choose(5))))
	if x.log.First() != before {
		x.purged++
	}
	return broken(err)
}

// read checks that no place of a lane has ever held anything else.
func (x *shrinking) read() error {
	next := make(map[uint32]uint64)
	err := x.log.Read(context.Background(), eventlog.Position{}, func(f *eventlog.Frame) error {
		for _, r := range f.Records {
			at := place{r.Lane, r.LaneSeq}
			if was, ok := x.places[at]; ok && was != string(r.Body) {
				return fmt.Errorf("%v was %s and is %s", at, was, r.Body)
			}
			if want := next[r.Lane]; want != 0 && want != r.LaneSeq {
				return fmt.Errorf("lane %d goes on with %d, not %d", r.Lane, r.LaneSeq, want)
			}
			x.places[at] = string(r.Body)
			next[r.Lane] = r.LaneSeq + 1
		}
		return nil
	})
	if err == nil {
		err = x.log.RunLog().Replay(context.Background(), 0, func(uint64, []eventlog.RunRecord) error { return nil })
	}
	if errors.Is(err, eventlog.ErrUnavailable) {
		return nil
	}
	return err
}

func shrink(choose func(int) int, steps int) (*shrinking, error) {
	m := eventlogtest.New(eventlogtest.Config{Choose: choose, Rates: eventlogtest.Stormy})
	x := &shrinking{choose: choose, model: m, node: m.Node(), places: make(map[place]string), at: make(map[int]int)}
	for range steps {
		if err := x.step(); err != nil {
			return x, err
		}
	}
	m.Set(func(c *eventlogtest.Config) { c.Rates = eventlogtest.Rates{} })
	return x, x.start()
}

// TestReleaseOnBadServers: whatever is released, and however far it comes, lanes go
// on where they were, duplicates are recognised, and nothing counts as damaged.
func TestReleaseOnBadServers(t *testing.T) {
	purged, dups := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		_, err := shrink(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") }, 60)
		require.NoError(t, err)
	})
	for seed := range uint64(200) {
		x, err := shrink(eventlogtest.Seeded(seed), 300)
		require.NoError(t, err, "seed %d", seed)
		purged += x.purged
		dups += x.dups
	}
	t.Logf("%d releases, %d duplicates", purged, dups)
	assert.Greater(t, purged, 300)
	assert.Greater(t, dups, 300)
}
