package dispatch

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/tenants"
)

// tenant is a name that is good.
func tenant(name string) tenants.Name {
	n, err := tenants.ParseName(name)
	if err != nil {
		panic(err)
	}
	return n
}

// piece is a task of a batch key; its number is its item.
func piece(key string, n, size int) Task {
	t := Task{Tenant: tenant("a"), Key: fmt.Sprint(n)}
	if key != "" {
		t.Batch = &Batch{Key: key, Size: size, Item: n}
	}
	return t
}

// pieces queues tasks of these keys, one a letter; "." is a task that stands alone.
func pieces(keys string, size int) (*queues, *queue) {
	qs := newQueues(10_000, 10)
	q := qs.of(tenant("a"))
	for n, key := range keys {
		k := string(key)
		if key == '.' {
			k = ""
		}
		qs.push(q, piece(k, n, size))
	}
	return qs, q
}

// names are the numbers that the tasks of a turn were queued with.
func names(tasks []Task) (list []string) {
	for _, t := range tasks {
		list = append(list, t.Key)
	}
	return list
}

func TestBatchTakesWhatWaits(t *testing.T) {
	for name, tt := range map[string]struct {
		keys string
		size int
		idle int
		cost time.Duration // average of the tenant's tasks
		want [][]string
	}{
		"one alone":            {"x", 0, 1, 0, [][]string{{"0"}}},
		"equal keys":           {"xxx", 0, 1, 0, [][]string{{"0", "1", "2"}}},
		"others stay in order": {"xyx.yx", 0, 1, 0, [][]string{{"0", "2", "5"}, {"1", "4"}, {"3"}}},
		"none":                 {"..x", 0, 1, 0, [][]string{{"0"}, {"1"}, {"2"}}},
		"shared by workers":    {"xxxxx", 0, 2, 0, [][]string{{"0", "1", "2"}, {"3"}, {"4"}}},
		"bytes":                {"xxxx", maxBatchBytes / 2, 1, 0, [][]string{{"0", "1"}, {"2", "3"}}},
		"a large one":          {"xx", 2 * maxBatchBytes, 1, 0, [][]string{{"0"}, {"1"}}},
		"expected time":        {"xxxxx", 0, 1, batchTime / 2, [][]string{{"0", "1"}, {"2", "3"}, {"4"}}},
		"slow":                 {"xx", 0, 1, time.Second, [][]string{{"0"}, {"1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			qs, q := pieces(tt.keys, tt.size)
			q.average = tt.cost
			var got [][]string
			for qs.waiting > 0 {
				got = append(got, names(qs.start(q, tt.idle).tasks))
			}
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestBatchIsBounded(t *testing.T) {
	_, q := pieces("xx"+string(slices.Repeat([]byte{'.'}, lookahead))+"x", 0)
	q.average = time.Nanosecond
	assert.Equal(t, []string{"0", "1"}, names(q.batch(1)), "further back nobody looks")
	_, q = pieces(string(slices.Repeat([]byte{'x'}, 3*maxBatch)), 0)
	q.average = time.Nanosecond
	assert.Len(t, q.batch(1), maxBatch)
}

// TestBatchesLoseNothing queues and starts tasks of all sorts: each starts once, those
// of a key in order, those of a turn have one key, and what is paid is per task.
func TestBatchesLoseNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		qs := newQueues(1000, 1000)
		q := qs.of(tenant("a"))
		began := make(map[string][]int)
		keyOf := make(map[int]string)
		pushed, started, paid := 0, 0, time.Duration(0)
		var open []turn
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 2).Draw(t, "step") {
			case 0:
				for range rapid.IntRange(1, 90).Draw(t, "push") {
					key := rapid.SampledFrom([]string{"", "x", "y", "z"}).Draw(t, "key")
					if qs.push(q, piece(key, pushed, rapid.IntRange(0, maxBatchBytes/3).Draw(t, "size"))) {
						keyOf[pushed] = key
						pushed++
					}
				}
			case 1:
				before, average := q.balance, q.average
				got, ok := qs.next(rapid.IntRange(1, 4).Draw(t, "idle"))
				require.Equal(t, pushed > started, ok)
				if !ok {
					continue
				}
				open = append(open, got)
				require.LessOrEqual(t, len(got.tasks), maxBatch)
				require.Equal(t, average*time.Duration(len(got.tasks)), got.paid)
				require.LessOrEqual(t, q.balance, max(before, 0)+quantum-got.paid)
				paid += got.paid
				for _, task := range got.tasks {
					var n int
					_, err := fmt.Sscan(task.Key, &n)
					require.NoError(t, err)
					require.Equal(t, keyOf[n], keyOf[mustNumber(t, got.tasks[0])])
					began[keyOf[n]] = append(began[keyOf[n]], n)
					started++
				}
			case 2:
				if len(open) > 0 {
					qs.finish(open[0], time.Duration(rapid.IntRange(0, 1000).Draw(t, "took"))*time.Microsecond)
					open = open[1:]
				}
			}
			require.Equal(t, pushed-started, q.waiting())
			require.Equal(t, q.waiting(), qs.waiting)
			require.Equal(t, len(open), qs.running)
		}
		for key, list := range began {
			require.True(t, slices.IsSorted(list), "%s: %v", key, list)
			require.Len(t, slices.Compact(slices.Clone(list)), len(list), "each once")
		}
	})
}

func mustNumber(t *rapid.T, task Task) (n int) {
	_, err := fmt.Sscan(task.Key, &n)
	require.NoError(t, err)
	return n
}

// TestBatchInADispatcher does tasks together, tells everybody of a panic, and counts
// each.
func TestBatchInADispatcher(t *testing.T) {
	d := New(Config{Workers: 1, QueuePerTenant: 100, Logger: slog.New(slog.DiscardHandler)})
	var ran [][]any
	panicked := 0
	add := func(of, key string, n int) {
		task := Task{
			Tenant: tenant(of), Key: fmt.Sprint(n), Panicked: func(error) { panicked++ },
			Do: func(context.Context) { ran = append(ran, []any{n}) },
			Batch: &Batch{Key: key, Item: n, Do: func(_ context.Context, items []any) {
				ran = append(ran, items)
				if key == "panics" {
					panic("on purpose")
				}
			}},
		}
		require.NoError(t, d.TrySubmit(task))
	}
	for n := range 3 {
		add("a", "x", n)
	}
	add("a", "y", 3)
	add("a", "panics", 4)
	add("a", "panics", 5)
	add("b", "x", 6)
	done := make(chan error)
	go func() { done <- d.Run(t.Context()) }()
	require.NoError(t, d.Drain(t.Context()))
	require.NoError(t, <-done)
	assert.ElementsMatch(t, [][]any{{0, 1, 2}, {3}, {4, 5}, {6}}, ran)
	assert.Equal(t, 2, panicked)
	s := d.Stats()
	assert.Equal(t, uint64(7), s.Ended)
	assert.Equal(t, uint64(5), s.Batched)
	assert.Equal(t, uint64(6), s.Tenants[tenant("a")].Ended)
	assert.Equal(t, uint64(1), s.Panics)
}

// TestBatchesLeaveOthersTheirTurns runs a tenant with many small tasks that go together
// beside one whose tasks do not: both get half of the time.
func TestBatchesLeaveOthersTheirTurns(t *testing.T) {
	qs := newQueues(100_000, 1)
	a, b := qs.of(tenant("a")), qs.of(tenant("b"))
	for n := range 20_000 {
		qs.push(a, piece("x", n, 0))
		task := piece("", n, 0)
		task.Tenant = tenant("b")
		qs.push(b, task)
	}
	for range 1500 {
		got, ok := qs.next(1)
		require.True(t, ok)
		took := 100 * time.Microsecond // of b, and of an a-task 10 µs
		if got.q == a {
			took = time.Duration(len(got.tasks)) * 10 * time.Microsecond
		}
		qs.finish(got, took)
	}
	assert.InEpsilon(t, float64(a.spent), float64(b.spent), 0.05)
}
