package dfa

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A table does what a map does, however it grows and shrinks.
func TestTableIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tab table
		want := make(map[string]uint32)
		for range rapid.IntRange(1, 6).Draw(t, "waves") {
			keys := rapid.IntRange(1, 2000).Draw(t, "keys")
			long := rapid.IntRange(0, 3).Draw(t, "long") * 20
			name := func(i int) []byte { return []byte(fmt.Sprint(i, strings.Repeat("-", i*long%61))) }
			for i := range keys {
				if _, there := want[string(name(i))]; !there {
					id, e := tab.add(name(i), hashOf(name(i)))
					e.elem = uint32(i)
					want[string(name(i))] = id
				}
			}
			gone := rapid.IntRange(0, keys).Draw(t, "gone")
			for i := keys - gone; i < keys; i++ {
				id := tab.find(name(i), hashOf(name(i)))
				require.Equal(t, want[string(name(i))], id)
				tab.remove(id)
				delete(want, string(name(i)))
				require.Equal(t, noEntry, tab.find(name(i), hashOf(name(i))))
				require.Nil(t, tab.live(id))
			}
			require.Equal(t, len(want), tab.count)
		}
		seen := 0
		tab.all(func(id uint32, e *entry) {
			seen++
			require.Equal(t, want[string(tab.key(id))], id)
			require.Equal(t, fmt.Sprint(e.elem), strings.TrimRight(string(tab.key(id)), "-"))
			require.Same(t, e, tab.live(id))
		})
		require.Equal(t, len(want), seen)
		for k, id := range want {
			require.Equal(t, id, tab.find([]byte(k), hashOf([]byte(k))))
		}
	})
}

// What a burst of keys took is given back, also when one of them stays.
func TestTableGivesBack(t *testing.T) {
	const keys = 100_000
	var tab table
	name := func(i int) []byte { return fmt.Appendf(nil, "key-%08d", i) }
	for i := range keys {
		tab.add(name(i), hashOf(name(i)))
	}
	full := tab.bytes()
	assert.Less(t, full, 72*keys)
	for i := 1; i < keys; i++ {
		tab.remove(tab.find(name(i), hashOf(name(i))))
	}
	assert.Less(t, tab.bytes(), full/10)
	assert.NotEqual(t, noEntry, tab.find(name(0), hashOf(name(0))))
	tab.remove(tab.find(name(0), hashOf(name(0))))
	for i := range 100 {
		tab.add(name(i), hashOf(name(i)))
	}
	for i := range 100 {
		tab.remove(tab.find(name(i), hashOf(name(i))))
	}
	assert.Equal(t, 0, tab.bytes())
}

// The bytes of keys that come and go in one page do not pile up.
func TestKeysAreTidied(t *testing.T) {
	var tab table
	stays := []byte("stays")
	tab.add(stays, hashOf(stays))
	for i := range 10_000 {
		k := fmt.Appendf(nil, "passing-%d", i)
		id, _ := tab.add(k, hashOf(k))
		require.Equal(t, string(k), string(tab.key(id)))
		tab.remove(id)
	}
	assert.NotEqual(t, noEntry, tab.find(stays, hashOf(stays)))
	assert.Less(t, tab.bytes(), 2000)
}

func TestQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var want []uint64
		next := uint64(0)
		for range rapid.IntRange(1, 30).Draw(t, "rounds") {
			for range rapid.IntRange(0, 400).Draw(t, "pushes") {
				next++
				q.push(next, uint32(next*3))
				want = append(want, next)
			}
			for range rapid.IntRange(0, 400).Draw(t, "pops") {
				order, id, ok := q.front()
				require.Equal(t, len(want) > 0, ok)
				if !ok {
					break
				}
				require.Equal(t, want[0], order)
				require.Equal(t, uint32(want[0]*3), id)
				q.pop()
				want = want[1:]
			}
			if odd := func(order uint64, _ uint32) bool { return order%2 == 1 }; q.size >= max(q.tidyAt, 64) && rapid.Bool().Draw(t, "tidy") {
				q.tidy(odd)
				var kept []uint64
				for _, o := range want {
					if o%2 == 1 {
						kept = append(kept, o)
					}
				}
				want = kept
			}
			require.Equal(t, len(want), q.size)
		}
	})
}
