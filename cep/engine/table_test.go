package engine_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/cep/engine"
)

// Deadlines come out by time, whatever was set, moved and taken away before.
func TestDeadlinesAreOrdered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := engine.NewTable[int]()
		due := make(map[string]time.Time)
		draw := func() time.Time { return time.Unix(int64(rapid.IntRange(0, 9).Draw(t, "at")), 0) }
		for i := range rapid.IntRange(1, 40).Draw(t, "steps") {
			key := strconv.Itoa(rapid.IntRange(0, 20).Draw(t, "key"))
			e := table.Get([]byte(key))
			if e == nil {
				e = table.Add([]byte(key))
				e.Value = i
			}
			switch rapid.IntRange(0, 3).Draw(t, "do") {
			case 0:
				table.Unset(e)
				delete(due, key)
			case 1:
				table.Remove(e)
				delete(due, key)
			default:
				due[key] = draw()
				table.Set(e, due[key])
			}
		}
		var last time.Time
		for range len(due) {
			at, ok := table.Deadline()
			require.True(t, ok)
			require.Nil(t, table.Pop(at.Add(-1)), "nothing is due before its time")
			e := table.Pop(at)
			require.Equal(t, due[e.Key], at)
			_, set := e.At()
			require.False(t, set)
			require.False(t, at.Before(last))
			last = at
		}
		_, ok := table.Deadline()
		require.False(t, ok)
	})
}
