package eventlogtest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/eventlog/eventlogtest"
)

// doubtful is a store whose streams give no answer to what they have stored, once
// after is set.
type doubtful struct {
	eventlog.Store
	after func() // what happens then
	blind bool   // nothing can be scanned
}

type doubtfulStream struct {
	eventlog.Stream
	store *doubtful
}

func (s *doubtful) Stream(kind eventlog.StreamKind) eventlog.Stream {
	return doubtfulStream{s.Store.Stream(kind), s}
}

func (s doubtfulStream) Publish(ctx context.Context, seq uint64, b []byte) error {
	err := s.Stream.Publish(ctx, seq, b)
	if after := s.store.after; err == nil && after != nil {
		s.store.after = nil
		after()
		return fmt.Errorf("%w: no answer", eventlog.ErrUncertain)
	}
	return err
}

func (s doubtfulStream) Scan(ctx context.Context, from, to uint64, fn func(uint64, []byte) error) error {
	if s.store.blind {
		return fmt.Errorf("%w: no answer", eventlog.ErrUnavailable)
	}
	return s.Stream.Scan(ctx, from, to, fn)
}

func openDoubtful(t *testing.T, m *eventlogtest.Model, writer uint64) (*doubtful, *eventlog.Log) {
	t.Helper()
	s := &doubtful{Store: m.Node().Store(0)}
	l, err := eventlog.OpenStore(t.Context(), s, eventlog.Config{Writer: writer})
	require.NoError(t, err)
	return s, l
}

// commitOne commits one record and gives its answer.
func commitOne(t *testing.T, l *eventlog.Log) error {
	t.Helper()
	p, err := l.Committer().Submit([]eventlog.Record{{Kind: eventlog.Event, Body: []byte("x")}})
	require.NoError(t, err)
	_, err = l.Committer().Step(t.Context())
	require.True(t, err == nil || errors.Is(err, eventlog.ErrFenced), err)
	_, done, err := p.Poll()
	require.True(t, done)
	return err
}

// A frame was sent, the answer got lost, and then nothing could be read: the frame
// may be there, and nobody may be told that it is not.
func TestCommitThatCannotBeReadBackIsUncertain(t *testing.T) {
	s, l := openDoubtful(t, eventlogtest.New(eventlogtest.Config{}), 1)
	s.after = func() { s.blind = true }
	require.ErrorIs(t, commitOne(t, l), eventlog.ErrUncertain)
	s.after = func() {}
	s.blind = true
	_, err := l.RunLog().Append(t.Context(), []eventlog.RunRecord{{Kind: 1}})
	require.ErrorIs(t, err, eventlog.ErrUncertain)
	s.blind = false
	require.NoError(t, commitOne(t, l))
	assert.Equal(t, eventlog.Position{Frame: 2}, l.Tail(), "both are there")
}

// A frame was stored, the answer got lost, and another owner claimed the group right
// behind it: the frame is part of the log, and whoever waits for it is told so.
func TestCommitBeforeAClaimIsAcked(t *testing.T) {
	m := eventlogtest.New(eventlogtest.Config{})
	s, l := openDoubtful(t, m, 1)
	s.after = func() {
		other, err := eventlog.OpenStore(t.Context(), m.Node().Store(0), eventlog.Config{Writer: 2})
		require.NoError(t, err)
		require.NoError(t, other.Claim(t.Context(), "other", 1))
	}
	require.NoError(t, commitOne(t, l))
	assert.ErrorIs(t, commitOne(t, l), eventlog.ErrFenced)
}

// The first try of a frame gets no answer and is still under way, the second is
// refused: that one was refused does not say that nothing will be stored.
func TestCommitWithATryUnderWayIsUncertain(t *testing.T) {
	var faults []int // of the tries to come
	m := eventlogtest.New(eventlogtest.Config{Choose: func(int) (fault int) {
		if len(faults) > 0 {
			fault, faults = faults[0], faults[1:]
		}
		return fault
	}})
	_, l := openDoubtful(t, m, 1)
	const late, none, refused = 1, 0, 2 // none: whether what is late lands just then
	m.Set(func(c *eventlogtest.Config) { c.Rates = eventlogtest.Rates{Late: 1, Refused: 1} })
	faults = []int{late, none, refused}
	require.ErrorIs(t, commitOne(t, l), eventlog.ErrUncertain)
	require.True(t, m.Land())
	m.Set(func(c *eventlogtest.Config) { c.Rates = eventlogtest.Rates{} })
	require.NoError(t, commitOne(t, l))
	assert.Equal(t, eventlog.Position{Frame: 2}, l.Tail(), "both are there")
}

// An owner that was away finds neither its own end of the log nor the claim: the next
// owner has released both. That is no damage.
func TestStaleOwnerOfAReleasedLogIsFenced(t *testing.T) {
	m := eventlogtest.New(eventlogtest.Config{})
	_, stale := openDoubtful(t, m, 1)
	require.NoError(t, commitOne(t, stale))
	_, err := stale.RunLog().Append(t.Context(), []eventlog.RunRecord{{Kind: 1}})
	require.NoError(t, err)

	_, owner := openDoubtful(t, m, 2)
	require.NoError(t, owner.Claim(t.Context(), "owner", 1))
	for range 3 {
		_, err := owner.RunLog().Append(t.Context(), []eventlog.RunRecord{{Kind: 1}})
		require.NoError(t, err)
	}
	require.NoError(t, owner.Release(t.Context(), owner.Tail(), owner.RunLog().Tail()))

	_, err = stale.RunLog().Append(t.Context(), []eventlog.RunRecord{{Kind: 1}})
	require.ErrorIs(t, err, eventlog.ErrFenced)
	err = stale.RunLog().Replay(t.Context(), 1, func(uint64, []eventlog.RunRecord) error { return nil })
	require.ErrorIs(t, err, eventlog.ErrOutside)
}

// Whoever looks for a time in a log whose beginning another owner has released
// meanwhile finds what is left, and no damage.
func TestSinceInALogThatAnotherHasReleased(t *testing.T) {
	m := eventlogtest.New(eventlogtest.Config{})
	at := time.Unix(1000, 0)
	open := func(writer uint64) *eventlog.Log {
		// Nothing is kept in memory, and no frame because of duplicates.
		l, err := eventlog.OpenStore(t.Context(), m.Node().Store(0), eventlog.Config{
			Writer: writer, Now: func() time.Time { return at }, RecentBytes: 1, DedupWindow: -1,
		})
		require.NoError(t, err)
		return l
	}
	stale := open(1)
	for range 9 {
		at = at.Add(time.Second)
		require.NoError(t, commitOne(t, stale))
		_, err := stale.RunLog().Append(t.Context(), []eventlog.RunRecord{{Kind: 1}})
		require.NoError(t, err)
	}
	owner := open(2)
	require.NoError(t, owner.Claim(t.Context(), "owner", 1))
	require.NoError(t, owner.Release(t.Context(), eventlog.Position{Frame: 7}, 7))

	ev, err := stale.Since(t.Context(), time.Unix(1003, 0))
	require.NoError(t, err)
	assert.LessOrEqual(t, ev.Frame, uint64(7))
	run, err := stale.RunLog().Since(t.Context(), time.Unix(1003, 0))
	require.NoError(t, err)
	assert.LessOrEqual(t, run, uint64(7))
}
