package eventlogtest

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host/eventlog"
)

// Place is where a log is kept: it opens the log that is there. The log is not
// open twice at a time.
type Place func(c eventlog.Config) (*eventlog.Log, error)

// Suite runs what a log promises, each promise on a log of its own in a place
// that holds none yet.
func Suite(t *testing.T, place func(t *testing.T) Place) {
	t.Helper()
	for _, p := range []struct {
		name string
		test func(*suite, *testing.T)
	}{
		{"commit and read back", (*suite).commitAndReadBack},
		{"duplicates are accepted once", (*suite).duplicatesAreAcceptedOnce},
		{"refusals", (*suite).refusals},
		{"full queue", func(s *suite, t *testing.T) { s.fullQueue(t, eventlog.Config{MaxQueue: 3}) }},                     //nolint:thelper // as the methods are
		{"full queue by bytes", func(s *suite, t *testing.T) { s.fullQueue(t, eventlog.Config{MaxQueueBytes: 3 * 200}) }}, //nolint:thelper // as the methods are
		{"close answers the queue", (*suite).closeAnswersTheQueue},
		{"frames fill", (*suite).framesFill},
		{"stamps never go back", (*suite).stampsNeverGoBack},
		{"window of duplicates", (*suite).dedupWindow},
		{"step", (*suite).step},
		{"followers", (*suite).followers},
		{"follow starts inside", (*suite).followStartsInside},
		{"follow ends", (*suite).followEnds},
		{"many lanes", (*suite).manyLanes},
		{"run log", (*suite).runLog},
		{"run log refusals", (*suite).runLogRefusals},
		{"blobs", (*suite).blobs},
		{"delete blob", (*suite).deleteBlob},
		{"delete blob stored again", (*suite).deleteStoredAgain},
		{"release", (*suite).release},
		{"release keeps what opening needs", (*suite).releaseKeepsWhatOpeningNeeds},
		{"since", (*suite).since},
		{"snapshots", (*suite).snapshots},
		{"editions", (*suite).editions},
		{"claim", (*suite).claim},
		{"probe", (*suite).probe},
	} {
		t.Run(p.name, func(t *testing.T) { p.test(&suite{place: place(t)}, t) })
	}
}

// suite is one promise on its way.
type suite struct{ place Place }

// log opens the log and closes it in the end.
func (s *suite) log(t *testing.T, c eventlog.Config) *eventlog.Log {
	t.Helper()
	l, err := s.place(c)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}

// open opens the log and runs its committer until the test ends, or stop is called.
func (s *suite) open(t *testing.T, c eventlog.Config) (l *eventlog.Log, stop func()) {
	t.Helper()
	l = s.log(t, c)
	ctx, cancel := context.WithCancel(context.Background())
	var g errgroup.Group
	g.Go(func() error { return l.Committer().Run(ctx) })
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		assert.NoError(t, g.Wait())
		assert.NoError(t, l.Close())
	}
	t.Cleanup(stop)
	return l, stop
}

func record(tenant string, lane uint32, body string) eventlog.Record {
	return eventlog.Record{Kind: eventlog.Event, Tenant: tenant, Lane: lane, Body: []byte(body)}
}

func commit(t *testing.T, l *eventlog.Log, recs ...eventlog.Record) eventlog.Result {
	t.Helper()
	res, err := l.Committer().Commit(t.Context(), recs)
	require.NoError(t, err)
	return res
}

// all reads the whole log.
func all(t *testing.T, l *eventlog.Log) []eventlog.Record {
	t.Helper()
	var recs []eventlog.Record
	require.NoError(t, l.Read(t.Context(), eventlog.Position{}, func(f *eventlog.Frame) error {
		recs = append(recs, f.Records...)
		return nil
	}))
	return recs
}

func bodies(recs []eventlog.Record) []string {
	var out []string
	for _, r := range recs {
		out = append(out, string(r.Body))
	}
	return out
}

func frame(seq uint64) eventlog.Position { return eventlog.Position{Frame: seq} }

var errStop = errors.New("stop")
