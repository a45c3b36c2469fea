package eventlogtest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/eventlog/eventlogtest"
)

var errNoRoom = errors.New("no room")

// account is a meter with one limit for every tenant.
type account struct {
	limit         int64
	held, pending map[string]int64
	upto          uint64
	wrong         []string
}

func newAccount(limit int64) *account {
	return &account{limit: limit, held: make(map[string]int64), pending: make(map[string]int64)}
}

func (a *account) Take(tenant string, n int64, must bool) error {
	if n <= 0 {
		a.wrong = append(a.wrong, fmt.Sprintf("takes %d bytes", n))
	}
	if !must && a.held[tenant]+a.pending[tenant]+n > a.limit {
		return errNoRoom
	}
	a.pending[tenant] += n
	return nil
}

func (a *account) Return(tenant string, n int64) {
	if a.pending[tenant] -= n; a.pending[tenant] < 0 || n <= 0 {
		a.wrong = append(a.wrong, fmt.Sprintf("returns %d bytes, and %d are left", n, a.pending[tenant]))
	}
}

func (a *account) Stored(frame uint64, charges []eventlog.Charge) {
	if frame != a.upto+1 {
		a.wrong = append(a.wrong, fmt.Sprintf("frame %d follows %d", frame, a.upto))
	}
	a.upto = frame
	for _, c := range charges {
		a.Return(c.Tenant, c.Bytes)
		a.held[c.Tenant] += c.Bytes
	}
}

func countLog(t require.TestingT, l *eventlog.Log) map[string]int64 {
	sums := make(map[string]int64)
	require.NoError(t, l.Read(context.Background(), eventlog.Position{}, func(f *eventlog.Frame) error {
		for _, c := range f.Charges(nil) {
			sums[c.Tenant] += c.Bytes
		}
		return nil
	}))
	return sums
}

func recordOf(tenant string, id, size int) eventlog.Record {
	return eventlog.Record{
		Kind: eventlog.Event, Tenant: tenant, Dedup: eventlog.DedupKeyOf(tenant, "/s", fmt.Sprint(id)), Body: make([]byte, size),
	}
}

// Whatever the servers do, a meter is told of exactly what is stored, keeps nothing
// that is not, and what it refuses is not stored.
func TestMeterAgreesWithTheLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := eventlogtest.New(eventlogtest.Config{
			Choose: eventlogtest.Seeded(rapid.Uint64().Draw(t, "seed")), Rates: eventlogtest.Stormy,
		})
		a := newAccount(2000)
		l, err := eventlog.OpenStore(t.Context(), m.Node().Store(0), eventlog.Config{Writer: 1, Meter: a})
		if err != nil {
			return // the storm began early
		}
		c := l.Committer()
		type sent struct {
			ids []int
			*eventlog.Pending
		}
		var all []sent
		ended := false
		step := func() {
			_, err := c.Step(t.Context())
			ended = ended || err != nil
		}
		id := 0
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0, 1:
				var recs []eventlog.Record
				s := sent{}
				for range rapid.IntRange(1, 3).Draw(t, "records") {
					id++
					one := id
					if rapid.Bool().Draw(t, "again") {
						one = rapid.IntRange(1, id).Draw(t, "id")
					}
					s.ids = append(s.ids, one)
					recs = append(recs, recordOf([]string{"a", "b"}[one%2], one, 50+one%7))
				}
				if s.Pending, err = c.Submit(recs); err == nil {
					all = append(all, s)
				}
			case 2:
				step()
			case 3:
				m.Land()
			}
			for tenant, n := range a.held {
				assert.LessOrEqual(t, n, a.limit+1000, tenant) // a frame of unknown fate may come on top
			}
		}
		m.Set(func(c *eventlogtest.Config) { c.Rates = eventlogtest.Rates{} })
		for m.Late() > 0 {
			m.Land()
		}
		_, err = c.Submit([]eventlog.Record{{Kind: eventlog.Tick, Tenant: "a"}}) // whose frame settles what is in doubt
		require.True(t, err == nil || ended)
		for range 50 {
			step()
		}
		assert.Empty(t, a.wrong)
		if ended {
			return // servers that lose what they said they have
		}
		for tenant, n := range countLog(t, l) {
			assert.Equal(t, n, a.held[tenant], tenant)
			assert.Zero(t, a.pending[tenant], tenant)
		}
		stored := make(map[eventlog.DedupKey]bool)
		require.NoError(t, l.Read(t.Context(), eventlog.Position{}, func(f *eventlog.Frame) error {
			for _, r := range f.Records {
				stored[r.Dedup] = true
			}
			return nil
		}))
		for _, s := range all {
			_, done, err := s.Poll()
			require.True(t, done)
			for _, one := range s.ids {
				if err == nil {
					assert.True(t, stored[recordOf([]string{"a", "b"}[one%2], one, 0).Dedup], "record %d was accepted", one)
				}
			}
		}
	})
}

func commitAll(t *testing.T, l *eventlog.Log, admitted bool, recs ...eventlog.Record) (eventlog.Result, error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	type answer struct {
		eventlog.Result
		err error
	}
	got := make(chan answer, 1)
	go func() {
		var a answer
		if admitted {
			a.Result, a.err = l.Committer().CommitAdmitted(ctx, recs)
		} else {
			a.Result, a.err = l.Committer().Commit(ctx, recs)
		}
		got <- a
	}()
	for {
		select {
		case a := <-got:
			return a.Result, a.err
		default:
			_, err := l.Committer().Step(ctx)
			require.NoError(t, err)
		}
	}
}

func TestMeterRefusesWholeCommits(t *testing.T) {
	a := newAccount(400)
	l, err := eventlog.OpenStore(t.Context(), eventlogtest.New(eventlogtest.Config{}).Node().Store(0), eventlog.Config{Writer: 1, Meter: a})
	require.NoError(t, err)
	_, err = commitAll(t, l, false, recordOf("a", 1, 100), recordOf("a", 2, 100))
	require.NoError(t, err)
	assert.Equal(t, int64(264), a.held["a"], "bodies and 32 bytes for each")

	_, err = commitAll(t, l, false, recordOf("a", 3, 1), recordOf("a", 4, 300))
	require.ErrorIs(t, err, errNoRoom)
	_, err = commitAll(t, l, false, recordOf("b", 5, 100), recordOf("a", 6, 300))
	require.ErrorIs(t, err, errNoRoom, "one tenant of several has no room")
	assert.Equal(t, map[string]int64{"a": 264}, countLog(t, l))
	assert.Zero(t, a.pending["b"])

	res, err := commitAll(t, l, false, recordOf("a", 1, 100), recordOf("a", 2, 100), recordOf("a", 7, 10))
	require.NoError(t, err, "what was accepted before takes no room")
	assert.Equal(t, []int{0, 1}, res.Duplicates)
	_, err = commitAll(t, l, false, eventlog.Record{Kind: eventlog.Checkpoint, Tenant: "a", Key: "s", Body: make([]byte, 5000)})
	require.NoError(t, err, "only events count")
	_, err = commitAll(t, l, false, recordOf("b", 8, 300))
	require.NoError(t, err, "another tenant")
	_, err = commitAll(t, l, true, recordOf("a", 9, 3000))
	require.NoError(t, err, "room was found before")
	assert.Equal(t, map[string]int64{"a": 264 + 42 + 3032, "b": 332}, countLog(t, l))
	assert.Equal(t, countLog(t, l), a.held)
	assert.Empty(t, a.wrong)
}
