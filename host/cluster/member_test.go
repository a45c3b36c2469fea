package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/cluster"
	"github.com/rhost/rhost/host/cluster/clustertest"
)

const (
	groups = 8
	ttl    = cluster.DefaultTTL
	settle = cluster.DefaultSettle
)

// world watches who runs which group.
type world struct {
	t     *testing.T
	table *clustertest.Table

	mu    sync.Mutex
	runs  map[int]string // by group
	epoch map[int]uint64 // highest of each group
	lost  int
	slow  time.Duration // that handing over takes
}

func newWorld(t *testing.T) *world {
	return &world{t: t, table: clustertest.New(), runs: make(map[int]string), epoch: make(map[int]uint64)}
}

// node is a member in its world.
type node struct {
	*clustertest.Client
	member *cluster.Member
	stop   context.CancelFunc
	ended  chan error
}

func (w *world) start(name string, change ...func(*cluster.Config)) *node {
	w.t.Helper()
	n := &node{Client: w.table.Client(), ended: make(chan error, 1)}
	c := cluster.Config{
		Node: cluster.Node{Name: name}, Groups: groups, Leases: n.Client,
		Own: func(ctx context.Context, group int, epoch uint64) error { return w.own(ctx, name, group, epoch) },
	}
	for _, f := range change {
		f(&c)
	}
	var err error
	n.member, err = cluster.NewMember(c)
	require.NoError(w.t, err)
	ctx, cancel := context.WithCancel(w.t.Context())
	n.stop = cancel
	go func() { n.ended <- n.member.Run(ctx) }()
	return n
}

// own is a run of a group: never two at once, and each with a higher epoch.
func (w *world) own(ctx context.Context, name string, group int, epoch uint64) error {
	w.mu.Lock()
	assert.Empty(w.t, w.runs[group], "group %d is run by %s while %s takes it", group, w.runs[group], name)
	assert.Greater(w.t, epoch, w.epoch[group], "epoch of group %d", group)
	w.runs[group], w.epoch[group] = name, epoch
	w.mu.Unlock()
	<-ctx.Done()
	w.mu.Lock()
	delete(w.runs, group) // it starts nothing from here on
	lost := errors.Is(context.Cause(ctx), cluster.ErrLost)
	if lost {
		w.lost++
	}
	w.mu.Unlock()
	if !lost {
		time.Sleep(w.slow)
	}
	return nil
}

// counts is how many groups each node runs.
func (w *world) counts() map[string]int {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	count := make(map[string]int)
	for _, name := range w.runs {
		count[name]++
	}
	return count
}

func TestGroupsFollowNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.start("a")
		time.Sleep(time.Millisecond)
		assert.Equal(t, map[string]int{"a": 8}, w.counts(), "the first node does not wait for others")
		time.Sleep(2 * settle)
		b := w.start("b")
		time.Sleep(settle / 2)
		assert.Equal(t, map[string]int{"a": 8}, w.counts(), "who has just come is given nothing yet")
		time.Sleep(settle + 2*ttl)
		assert.Equal(t, map[string]int{"a": 4, "b": 4}, w.counts())
		c := w.start("c")
		time.Sleep(settle + 2*ttl)
		assert.Equal(t, map[string]int{"a": 3, "b": 3, "c": 2}, w.counts())

		b.member.Drain(true)
		time.Sleep(ttl)
		assert.Equal(t, map[string]int{"a": 4, "c": 4}, w.counts())
		b.member.Drain(false)
		time.Sleep(ttl)
		assert.Equal(t, map[string]int{"a": 3, "b": 2, "c": 3}, w.counts())

		w.slow = 2 * ttl
		a.stop()
		require.NoError(t, <-a.ended)
		time.Sleep(ttl)
		assert.Equal(t, map[string]int{"b": 4, "c": 4}, w.counts(), "who leaves keeps its leases until it has handed over")
		assert.Zero(t, w.lost)
		w.slow = 0
		b.stop()
		c.stop()
		require.NoError(t, errors.Join(<-b.ended, <-c.ended))
		left, err := cluster.ReadTable(t.Context(), w.table.Client())
		require.NoError(t, err)
		assert.Empty(t, left.Nodes)
		assert.Empty(t, left.Groups)
	})
}

// A node that is cut off stops before its groups can be taken, and joins again.
func TestCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.start("a"), w.start("b")
		time.Sleep(3 * ttl)
		require.Equal(t, map[string]int{"a": 4, "b": 4}, w.counts())
		a.Cut(true)
		time.Sleep(2 * ttl)
		assert.Equal(t, map[string]int{"b": 8}, w.counts())
		assert.Equal(t, 4, w.lost)
		a.Cut(false)
		time.Sleep(3 * ttl)
		assert.Equal(t, map[string]int{"a": 4, "b": 4}, w.counts())
		b.Cut(true)
		a.stop()
		b.stop()
		require.NoError(t, <-a.ended)
		assert.ErrorIs(t, <-b.ended, clustertest.ErrCut)
	})
}

// An answer that gets lost costs nothing: the node finds its own entry.
func TestLostAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.start("a")
		time.Sleep(time.Millisecond)
		for range 20 {
			a.Lose(1 + rand.IntN(12))
			time.Sleep(2 * ttl)
			assert.Equal(t, map[string]int{"a": 8}, w.counts())
		}
		a.Lose(0)
		a.stop()
		require.NoError(t, <-a.ended)
	})
}

// A node that was killed takes its own groups again at once, if nobody else can be
// it; another of its name has to wait.
func TestRestart(t *testing.T) {
	for _, sole := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			a := w.start("a")
			time.Sleep(time.Millisecond)
			a.Cut(true)
			a.stop() // its leases stay
			require.ErrorIs(t, <-a.ended, clustertest.ErrCut)
			require.Empty(t, w.counts())
			again := w.start("a", func(c *cluster.Config) { c.Sole = sole })
			time.Sleep(time.Millisecond)
			if sole {
				assert.Equal(t, map[string]int{"a": 8}, w.counts())
			} else {
				assert.Empty(t, w.counts())
				time.Sleep(2 * ttl)
				assert.Equal(t, map[string]int{"a": 8}, w.counts())
			}
			again.stop()
			require.NoError(t, <-again.ended)
		})
	}
}

// failing has a group fail on a node until fixed is set.
func (w *world) failing(name string, group int, fixed *atomic.Bool, tries *atomic.Int32) func(*cluster.Config) {
	return func(c *cluster.Config) {
		c.Own = func(ctx context.Context, g int, epoch uint64) error {
			if g == group && !fixed.Load() {
				return fmt.Errorf("try %d", tries.Add(1))
			}
			return w.own(ctx, name, g, epoch)
		}
	}
}

// failures is what nodes say that they cannot run.
func (w *world) failures() (list []cluster.Failed) {
	w.t.Helper()
	t, err := cluster.ReadTable(w.t.Context(), w.table.Client())
	require.NoError(w.t, err)
	for _, n := range t.Nodes {
		list = append(list, n.Failed...)
	}
	return list
}

// A run that finds that its group is another's has failed when that was found twice
// before, within a minute.
func TestGroupThatIsLostOverAndOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var tries atomic.Int32
		var rest atomic.Int64 // before a run ends
		a := w.start("a", func(c *cluster.Config) {
			c.Own = func(ctx context.Context, g int, epoch uint64) error {
				if g != 0 {
					return w.own(ctx, "a", g, epoch)
				}
				tries.Add(1)
				select {
				case <-time.After(time.Duration(rest.Load())):
					return fmt.Errorf("%w: found it claimed", cluster.ErrLost)
				case <-ctx.Done():
					return nil
				}
			}
		})
		time.Sleep(2*ttl - time.Second)
		assert.EqualValues(t, 2, tries.Load())
		assert.Empty(t, w.failures(), "the group may be another's")
		time.Sleep(ttl)
		assert.EqualValues(t, 3, tries.Load())
		list := w.failures()
		require.Len(t, list, 1)
		assert.Contains(t, list[0].Reason, "found it claimed")
		assert.Equal(t, 3, list[0].Tries)
		assert.True(t, list[0].Waiting)
		time.Sleep(3 * ttl)
		assert.EqualValues(t, 3, tries.Load(), "it waits for longer")
		time.Sleep(2 * ttl)
		assert.EqualValues(t, 4, tries.Load())
		assert.Equal(t, 4, w.failures()[0].Tries)

		rest.Store(int64(6 * ttl)) // which ends too seldom for three within a minute
		a.member.Drain(false)
		for range 20 {
			time.Sleep(2 * ttl)
			assert.Empty(t, w.failures())
		}
		assert.InDelta(t, 10, tries.Load(), 2)
		a.stop()
		require.NoError(t, <-a.ended)
	})
}

// A group that nobody can run is tried less and less often.
func TestGroupThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var fixed atomic.Bool
		var tries atomic.Int32
		a := w.start("a", w.failing("a", 0, &fixed, &tries))
		time.Sleep(time.Millisecond)
		assert.EqualValues(t, 1, tries.Load())
		time.Sleep(ttl - time.Second)
		assert.EqualValues(t, 1, tries.Load())
		time.Sleep(ttl / 2)
		assert.EqualValues(t, 2, tries.Load())
		list := w.failures()
		require.Len(t, list, 1)
		assert.WithinDuration(t, time.Now(), list[0].Since, ttl/2)
		list[0].Since = time.Time{}
		assert.Equal(t, cluster.Failed{Group: 0, Tries: 2, Reason: "try 2", Waiting: true}, list[0])
		time.Sleep(20 * ttl)
		before := tries.Load()
		assert.EqualValues(t, 5, before, "after 1, 2, 4 and 8 TTLs")
		time.Sleep(40 * ttl)
		assert.InDelta(t, 4, tries.Load()-before, 1, "every ten TTLs")
		fixed.Store(true)
		time.Sleep(11 * ttl)
		assert.Equal(t, map[string]int{"a": 8}, w.counts())
		time.Sleep(2 * ttl)
		assert.Empty(t, w.failures(), "it runs")
		a.stop()
		require.NoError(t, <-a.ended)
	})
}

// Who cannot run a group steps aside for another, whatever their names, and gets it
// when that one has gone.
func TestStepsAside(t *testing.T) {
	for _, bad := range []string{"a", "z"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			var fixed atomic.Bool
			var tries atomic.Int32
			one := func(c *cluster.Config) { c.Groups = 1 }
			b := w.start(bad, one, w.failing(bad, 0, &fixed, &tries))
			time.Sleep(time.Millisecond)
			assert.EqualValues(t, 1, tries.Load())
			m := w.start("m", one)
			time.Sleep(settle + ttl/2)
			assert.Equal(t, map[string]int{"m": 1}, w.counts(), "before %s tries again", bad)
			time.Sleep(30 * ttl)
			assert.EqualValues(t, 1, tries.Load())
			assert.Len(t, w.failures(), 1, "for an operator to see")

			fixed.Store(true)
			m.stop()
			require.NoError(t, <-m.ended)
			time.Sleep(ttl)
			assert.Equal(t, map[string]int{bad: 1}, w.counts(), "nobody else is there")
			time.Sleep(2 * ttl)
			assert.Empty(t, w.failures())
			b.stop()
			require.NoError(t, <-b.ended)
		})
	}
}

// Who has been mended is told so.
func TestUndrainTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var fixed atomic.Bool
		var tries atomic.Int32
		a := w.start("a", w.failing("a", 3, &fixed, &tries))
		time.Sleep(10 * ttl)
		assert.Equal(t, map[string]int{"a": 7}, w.counts())
		fixed.Store(true)
		a.member.Drain(false)
		time.Sleep(time.Millisecond)
		assert.Equal(t, map[string]int{"a": 8}, w.counts())
		assert.Empty(t, w.failures())
		a.stop()
		require.NoError(t, <-a.ended)
	})
}

// Whatever happens to nodes, no group is run by two, and in the end each is run.
func TestTrouble(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			w := newWorld(t)
			nodes := make(map[string]*node)
			for range 60 {
				name := string('a' + rune(r.IntN(5)))
				n := nodes[name]
				switch {
				case n == nil:
					nodes[name] = w.start(name)
				case r.IntN(4) == 0:
					n.stop()
					if err := <-n.ended; err != nil {
						require.ErrorIs(t, err, clustertest.ErrCut)
					}
					delete(nodes, name)
				case r.IntN(3) == 0:
					n.Cut(r.IntN(2) == 0)
				case r.IntN(2) == 0:
					n.Lose(r.IntN(5))
				default:
					n.member.Drain(r.IntN(2) == 0)
				}
				time.Sleep(time.Duration(r.Int64N(int64(ttl))))
			}
			nodes["z"] = w.start("z")
			for _, n := range nodes {
				n.Cut(false)
				n.Lose(0)
				n.member.Drain(false)
			}
			time.Sleep(6 * ttl)
			total := 0
			for name, count := range w.counts() {
				total += count
				assert.InDelta(t, groups/len(nodes), count, 1, "seed %d: %s of %d nodes", seed, name, len(nodes))
			}
			assert.Equal(t, groups, total, "seed %d", seed)
			for _, n := range nodes {
				n.stop()
				require.NoError(t, <-n.ended)
			}
		})
	}
}
