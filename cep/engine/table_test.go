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
		spans := rapid.SampledFrom([]int64{1, 1 << 18, 1 << 22, 1e9, 3600e9, 1 << 55})
		draw := func() time.Time {
			at := time.Unix(rapid.Int64Range(-1, 1).Draw(t, "era")*1e10, rapid.Int64Range(0, 99).Draw(t, "at")*spans.Draw(t, "span"))
			return at.UTC()
		}
		many := rapid.SampledFrom([]int{20, 1500}).Draw(t, "keys")
		for i := range rapid.IntRange(1, 2*many).Draw(t, "steps") {
			key := strconv.Itoa(rapid.IntRange(0, many).Draw(t, "key"))
			e := table.Get([]byte(key))
			if e == nil {
				e = table.Add([]byte(key))
				e.Value = i
			}
			switch rapid.IntRange(0, 9).Draw(t, "do") {
			case 2:
				if at, ok := table.Deadline(); ok {
					e := table.Pop(at)
					require.Equal(t, due[e.Key], at)
					for _, other := range due {
						require.False(t, other.Before(at))
					}
					delete(due, e.Key)
				}
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
