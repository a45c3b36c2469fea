package eventlogtest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host/eventlog"
)

// checker asserts that frames come in order, each record once.
type checker struct {
	t    *testing.T
	next eventlog.Position
	seqs [2]uint64
}

func (c *checker) see(f *eventlog.Frame) {
	for i, r := range f.Records {
		p := f.At(i)
		if p.Frame != c.next.Frame {
			require.Equal(c.t, eventlog.Position{Frame: c.next.Frame + 1}, p)
		} else {
			require.Equal(c.t, c.next, p)
		}
		require.Equal(c.t, c.seqs[r.Lane]+1, r.LaneSeq)
		c.seqs[r.Lane]++
		c.next = p.Next()
	}
}

// followers has a quick follower, one that falls behind the frames kept in
// memory, one that starts late, and writers on two lanes. All see the same.
func (s *suite) followers(t *testing.T) {
	const writers, commits = 8, 150
	l, _ := s.open(t, eventlog.Config{RecentBytes: 20_000})
	var g errgroup.Group
	var written atomic.Int64
	for w := range writers {
		g.Go(func() error {
			for i := range commits {
				recs := []eventlog.Record{record("acme", uint32(w%2), "first"), record("acme", uint32(w%2), fmt.Sprintf("%d/%d", w, i))}
				if _, err := l.Committer().Commit(context.Background(), recs); err != nil {
					return err
				}
				written.Add(2)
			}
			return nil
		})
	}
	follow := func(start time.Duration, pace func(n int)) func() error {
		return func() error {
			time.Sleep(start)
			c := checker{t: t}
			n := 0
			err := l.Follow(context.Background(), eventlog.Position{}, func(f *eventlog.Frame) error {
				c.see(f)
				pace(n)
				if n += len(f.Records); n == 2*writers*commits {
					return errStop
				}
				return nil
			})
			if !errors.Is(err, errStop) {
				return fmt.Errorf("follow: %w", err)
			}
			return nil
		}
	}
	g.Go(follow(0, func(int) {}))
	g.Go(follow(0, func(n int) {
		if n < writers*commits {
			time.Sleep(500 * time.Microsecond)
		}
	}))
	g.Go(follow(30*time.Millisecond, func(int) {}))
	require.NoError(t, g.Wait())
	assert.Equal(t, int64(2*writers*commits), written.Load())
}

func (s *suite) followStartsInside(t *testing.T) {
	c := eventlog.Config{}
	l, stop := s.open(t, c)
	commit(t, l, record("a", 0, "1.0"), record("a", 0, "1.1"), record("a", 0, "1.2"))
	commit(t, l, record("a", 0, "2.0"))
	check := func(l *eventlog.Log) {
		for _, tt := range []struct {
			from eventlog.Position
			want []string
		}{
			{eventlog.Position{}, []string{"1.0", "1.1", "1.2", "2.0"}},
			{eventlog.Position{Frame: 1}, []string{"1.0", "1.1", "1.2", "2.0"}},
			{eventlog.Position{Frame: 1, Index: 2}, []string{"1.2", "2.0"}},
			{eventlog.Position{Frame: 1, Index: 2}.Next(), []string{"2.0"}},
			{eventlog.Position{Frame: 2}.Next(), nil},
			{eventlog.Position{Frame: 3}, nil},
		} {
			var got []string
			require.NoError(t, l.Read(t.Context(), tt.from, func(f *eventlog.Frame) error {
				for i, r := range f.Records {
					assert.Equal(t, string(r.Body), f.At(i).String())
					got = append(got, string(r.Body))
				}
				return nil
			}))
			assert.Equal(t, tt.want, got, "from %v", tt.from)
		}
		for _, from := range []eventlog.Position{{Frame: 3, Index: 1}, {Frame: 4}} {
			err := l.Follow(t.Context(), from, func(*eventlog.Frame) error { return nil })
			require.ErrorIs(t, err, eventlog.ErrOutside)
		}
	}
	check(l)
	stop()
	l, _ = s.open(t, c)
	check(l)
}

func (s *suite) followEnds(t *testing.T) {
	l, stop := s.open(t, eventlog.Config{})
	commit(t, l, record("a", 0, "x"))
	follow := func(ctx context.Context) error {
		return l.Follow(ctx, eventlog.Position{}, func(*eventlog.Frame) error { return nil })
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.NoError(t, follow(ctx), "the context ends")
	err := l.Read(ctx, eventlog.Position{}, func(*eventlog.Frame) error { return nil })
	require.ErrorIs(t, err, context.DeadlineExceeded, "Read has not read all")

	var g errgroup.Group
	g.Go(func() error { return follow(context.Background()) })
	time.Sleep(5 * time.Millisecond)
	stop()
	require.ErrorIs(t, g.Wait(), eventlog.ErrClosed)
	require.ErrorIs(t, follow(context.Background()), eventlog.ErrClosed)
	require.ErrorIs(t, l.Read(context.Background(), eventlog.Position{}, nil), eventlog.ErrClosed)
	require.NoError(t, l.Close(), "twice")
}

// manyLanes: a lane that has been quiet goes on where it was, whatever was
// written since.
func (s *suite) manyLanes(t *testing.T) {
	c := eventlog.Config{DedupWindow: -1}
	l, stop := s.open(t, c)
	const quiet = 200
	for i := range quiet {
		commit(t, l, record(fmt.Sprintf("tenant-%d", i), uint32(i), "once"))
	}
	for i := range 200 {
		commit(t, l, record("busy", 0, fmt.Sprint(i)))
	}
	stop()
	l, stop = s.open(t, c)
	for i := range quiet {
		commit(t, l, record(fmt.Sprintf("tenant-%d", i), uint32(i), "again"))
	}
	commit(t, l, record("busy", 0, "again"))
	n := 0
	for _, r := range all(t, l) {
		if string(r.Body) == "again" {
			want := uint64(2)
			if r.Tenant == "busy" {
				want = 201
			}
			assert.Equal(t, want, r.LaneSeq, r.Tenant)
			n++
		}
	}
	assert.Equal(t, quiet+1, n)
	stop()
}
