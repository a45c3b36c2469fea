package index_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/cep/index"
	"github.com/rhost/rhost/cep/predicate"
)

// model is an Index as a list.
type model struct {
	formulas []predicate.Formula
	gone     map[index.ID]bool
}

func (m *model) match(ev *predicate.Event) []index.ID {
	return slices.DeleteFunc(naive(m.formulas, ev), func(id index.ID) bool { return m.gone[id] })
}

// An index that was edited answers like a list of conditions, whenever its
// segments are joined.
func TestEditsAreNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.Uint64().Draw(t, "seed"))
		w.leafs = testLeafs()
		x, m := new(index.Index), model{gone: make(map[index.ID]bool)}
		var sc index.Scratch
		var pending *index.Compaction
		for range rapid.IntRange(1, 12).Draw(t, "edits") {
			x = edit(t, w, x, &m)
			switch rapid.IntRange(0, 5).Draw(t, "join") {
			case 0:
				if pending = x.CompactAll(); pending != nil {
					require.NoError(t, pending.Run())
				}
			case 1:
				if pending != nil {
					x, pending = x.Apply(pending), nil
				}
			case 2:
				var err error
				x, err = x.Merge()
				require.NoError(t, err)
			}
			require.Equal(t, len(m.formulas)-len(m.gone), x.Len())
			require.EqualValues(t, len(m.formulas), x.Next())
			for range 3 {
				ev := w.event()
				sameIDs(t, m.match(ev), x.Match(&sc, ev, nil))
			}
		}
		for id := range m.formulas {
			require.Equal(t, !m.gone[index.ID(id)], x.Has(index.ID(id)))
		}
	})
}

// edit adds and removes some conditions in both.
func edit(t *rapid.T, w *world, x *index.Index, m *model) *index.Index {
	add := w.formulas(rapid.IntRange(0, 30).Draw(t, "add"))
	var remove []index.ID
	for range rapid.IntRange(0, 12).Draw(t, "remove") {
		id := index.ID(w.rand.IntN(len(m.formulas) + 2)) // also what is not there
		remove = append(remove, id)
		if int(id) < len(m.formulas) {
			m.gone[id] = true
		}
	}
	y, err := x.With(add, remove)
	require.NoError(t, err)
	m.formulas = append(m.formulas, add...)
	return y
}

// Small edits must not leave a long list of segments, and an edit must leave
// the index it began with alone.
func TestWithKeepsFewSegments(t *testing.T) {
	w := newWorld(7)
	x := index.NewIndex(build(t, w.formulas(3000)))
	first, ev, sc := x, w.event(), index.Scratch{}
	before := first.Match(&sc, ev, nil)
	for range 300 {
		y, err := x.With(w.formulas(1), []index.ID{x.Next() / 2})
		require.NoError(t, err)
		x = y
		require.LessOrEqual(t, len(x.Segments()), 8)
	}
	assert.Equal(t, before, first.Match(&sc, ev, nil))
	assert.EqualValues(t, 3300, x.Next())
}

// Compact joins large segments when enough has been added or removed, and what
// is removed while it runs stays removed.
func TestCompact(t *testing.T) {
	w := newWorld(8)
	formulas := w.formulas(8000)
	x := index.NewIndex(build(t, formulas[:5000]))
	assert.Nil(t, x.Compact(), "one full segment")
	x, err := x.With(formulas[5000:], nil)
	require.NoError(t, err)
	c := x.Compact()
	require.NotNil(t, c)
	assert.Same(t, x, x.Apply(c), "before Run")

	x, err = x.With(nil, []index.ID{3, 6000})
	require.NoError(t, err)
	require.NoError(t, c.Run())
	x = x.Apply(c)
	assert.Len(t, x.Segments(), 1)
	assert.Equal(t, 7998, x.Len())
	assert.False(t, x.Has(3) || x.Has(6000))
	m := model{formulas, map[index.ID]bool{3: true, 6000: true}}
	var sc index.Scratch
	for range 20 {
		ev := w.event()
		sameIDs(t, m.match(ev), x.Match(&sc, ev, nil))
	}
	assert.Same(t, x, x.Apply(c), "a compaction counts once")

	var most []index.ID
	for id := range index.ID(5000) {
		most = append(most, id)
	}
	x, err = x.With(nil, most)
	require.NoError(t, err)
	require.NotNil(t, x.Compact(), "more than half is gone")
	x, err = x.With(nil, []index.ID{5000})
	require.NoError(t, err)
	x, err = x.Merge()
	require.NoError(t, err)
	assert.Equal(t, 2998, x.Segments()[0].Len())
}

func sameIDs(t require.TestingT, want, got []index.ID) {
	if !slices.Equal(want, got) { // an empty list may be nil
		require.Equal(t, want, got)
	}
}
