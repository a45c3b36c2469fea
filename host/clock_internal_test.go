package host

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/workflow"
)

// machine has a wall clock that can be set, and time that passes.
type machine struct {
	mu     sync.Mutex
	set    time.Time     // guarded by mu
	passed time.Duration // guarded by mu
}

func (m *machine) clock() *clock {
	return &clock{
		wall:    func() time.Time { m.mu.Lock(); defer m.mu.Unlock(); return m.set },
		elapsed: func() time.Duration { m.mu.Lock(); defer m.mu.Unlock(); return m.passed },
	}
}

// pass lets time pass.
func (m *machine) pass(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set, m.passed = m.set.Add(d), m.passed+d
}

// jump sets the wall clock.
func (m *machine) jump(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set = m.set.Add(d)
}

func TestClockNeverGoesBackNorStandsStill(t *testing.T) {
	m := &machine{set: testDay}
	c := m.clock()
	for _, step := range []struct {
		what       string
		pass, jump time.Duration
		want       time.Duration // since testDay
	}{
		{"begin", 0, 0, 0},
		{"time passes", time.Minute, 0, time.Minute},
		{"set back", 0, -time.Hour, time.Minute},
		{"goes on all the same", time.Minute, 0, 2 * time.Minute},
		{"set forward, not as far as it was", 0, 30 * time.Minute, 2 * time.Minute},
		{"the wall clock is ahead again", 0, 31 * time.Minute, 3 * time.Minute},
		{"asleep", 0, 5 * time.Hour, 5*time.Hour + 3*time.Minute},
		{"set back for good", time.Second, -9 * time.Hour, 5*time.Hour + 3*time.Minute + time.Second},
	} {
		m.pass(step.pass)
		m.jump(step.jump)
		assert.Equal(t, testDay.Add(step.want), c.now(), step.what)
	}
	assert.Equal(t, testDay.Add(9*time.Hour), c.atLeast(testDay.Add(9*time.Hour)))
	assert.Equal(t, testDay.Add(9*time.Hour), c.now())
}

// clockRig is a lane on the clock of a machine, as a host has it.
func clockRig(t *testing.T, dir string, m *machine) *laneRig {
	c := m.clock()
	return rigWith(t, eventlog.Config{Dir: dir, Now: c.now}, c.now, func(log *eventlog.Log) (blobs, snapshotStore) {
		if tail := log.Tail(); tail.Frame > 0 {
			last, err := timeOf(t.Context(), log, tail.Frame)
			require.NoError(t, err)
			c.atLeast(last)
		}
		held := newHeldBlobs(log)
		return held, logSnapshots{held}
	})
}

// attempts counts how often a step was begun, of all executions.
func (r *laneRig) attempts(t *testing.T) map[int]int {
	t.Helper()
	n := make(map[int]int)
	require.NoError(t, replayRun(t.Context(), r.log, 0, func(_ uint64, recs []eventlog.RunRecord) error {
		for i := range recs {
			if recs[i].Kind != runFlow {
				continue
			}
			rec, err := workflow.DecodeRecord(recs[i].Body)
			if err != nil {
				return err
			}
			if rec.Scheduled != nil {
				n[rec.Scheduled.Attempt]++
			}
		}
		return nil
	}))
	return n
}

// recorded counts the matches.
func (r *laneRig) recorded(t *testing.T) int {
	t.Helper()
	p, err := records{r.log}.matches(t.Context(), api.Query{})
	require.NoError(t, err)
	return len(p.Items)
}

// TestTimersAndTheWallClock sets the clock forward and back, while a lane runs and
// while it does not: a retry that is due in an hour comes once, when an hour has
// passed or the clock says so, and so does a window that closes by the clock.
func TestTimersAndTheWallClock(t *testing.T) {
	for _, c := range []struct {
		name    string
		restart bool // the clock is set while the host is down
		jump    time.Duration
		early   time.Duration // passes, and nothing is due
		late    time.Duration // passes, and all is due
	}{
		{"set forward", false, 2 * time.Hour, 0, time.Second},
		{"set back", false, -3 * time.Hour, 50 * time.Minute, 11 * time.Minute},
		{"set forward while down", true, 2 * time.Hour, 0, time.Second},
		{"set back while down", true, -3 * time.Hour, 50 * time.Minute, 11 * time.Minute},
		{"set back by years", true, -9 * 365 * 24 * time.Hour, 50 * time.Minute, 11 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := &machine{set: testDay}
			dir := filepath.Join(shortDir(t), "log")
			r := clockRig(t, dir, m)
			r.ticks = true
			r.run()
			r.put([]RuleFile{{Name: "rules/r.yaml", Text: `
rule: retry
when: type == "a"
do: [{run: again, retry: {max: 3, backoff: 1h, jitter: none}}]
---
rule: window
when: {window: tumbling 1h, where: 'type == "a"', let: {n: count()}}
`}})
			e := event.Event{ID: "1", Source: "/s", Type: "a", Data: []byte(`{}`)}
			require.NoError(t, (&admission{tenant: r.tenant, log: r.log, now: r.now}).accept(t.Context(), []event.Event{e}))
			require.NoError(t, r.until(t.Context(), func() bool { _, waits := r.flows.NextTimer(); return waits }))
			if c.restart {
				require.NoError(t, r.snapshotNow(t.Context()))
				r.crash()
				m.jump(c.jump)
				r = clockRig(t, dir, m)
				r.ticks = true
				r.run()
			} else {
				m.jump(c.jump)
			}
			look := func() { require.NoError(t, r.ask(t.Context(), func() {})) } // wakes the lane
			if c.early > 0 {
				m.pass(c.early)
				look()
				assert.Equal(t, map[int]int{1: 1}, r.attempts(t), "not yet")
			}
			m.pass(c.late)
			require.Eventually(t, func() bool { look(); return r.attempts(t)[2] == 1 && r.recorded(t) == 2 }, patience, 10*time.Millisecond,
				"all that was due")
			look()
			assert.Equal(t, map[int]int{1: 1, 2: 1}, r.attempts(t), "once")
			assert.Equal(t, 2, r.recorded(t), "once")
			r.crash()
		})
	}
}
