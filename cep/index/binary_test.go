package index_test

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/cep/index"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// leafNamed gives the leafs of the tests back.
func leafNamed(text string) (*predicate.Leaf, error) {
	for _, l := range testLeafs() {
		if l.String() == text {
			return l, nil
		}
	}
	return testLeafs()[0], nil // for the fuzzer, which makes up its own
}

func TestBinaryRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.Uint64().Draw(t, "seed"))
		w.leafs = testLeafs()
		formulas := w.formulas(rapid.IntRange(0, 60).Draw(t, "conditions"))
		s := build(t, formulas)
		shift := rapid.IntRange(0, 9).Draw(t, "shift") // in memory that may not be aligned
		b := s.AppendBinary(make([]byte, shift))[shift:]
		loaded, err := index.Load(b, nil, leafNamed)
		require.NoError(t, err)
		require.Equal(t, s.Stats(), loaded.Stats())
		var sc index.Scratch
		for range 10 {
			check(t, loaded, &sc, formulas, w.event())
		}
		for id := range formulas {
			require.Equal(t, s.Place(index.ID(id)), loaded.Place(index.ID(id)))
		}
		require.Equal(t, b, loaded.AppendBinary(nil))
	})
}

func TestLoadPutsFieldsInPlace(t *testing.T) {
	w := newWorld(1)
	s := build(t, []predicate.Formula{lit(w.make(2, predicate.OpEq, false, event.NumberValue(1)))})
	loaded, err := index.Load(s.AppendBinary(nil), func(p event.Path) int {
		assert.Equal(t, fieldPath(2), p)
		return 7
	}, nil)
	require.NoError(t, err)
	fields := make([]event.Value, 8)
	fields[7] = event.NumberValue(1)
	var sc index.Scratch
	assert.Equal(t, []index.ID{0}, loaded.Match(&sc, &predicate.Event{Fields: fields}, nil))
	assert.Equal(t, []event.Path{fieldPath(2)}, loaded.Paths())
}

func TestLoadRefuses(t *testing.T) {
	w := newWorld(2)
	w.leafs = testLeafs()
	good := build(t, w.formulas(300)).AppendBinary(nil)
	load := func(b []byte) error {
		_, err := index.Load(b, nil, leafNamed)
		return err
	}
	require.NoError(t, load(good))
	assert.ErrorContains(t, load(nil), "not a compiled segment")
	assert.ErrorContains(t, load(good[:len(good)-8]), "cut short")
	assert.ErrorContains(t, load(append(slices.Clip(good), 0)), "cut short")
	newer := append([]byte(nil), good...)
	newer[4]++
	assert.ErrorIs(t, load(newer), index.ErrVersion)
	for at := 16; at < len(good); at += 97 {
		bad := append([]byte(nil), good...)
		bad[at] ^= 4
		assert.ErrorContains(t, load(bad), "checksum", at)
	}
	_, err := index.Load(good, nil, nil)
	assert.ErrorContains(t, err, "nothing to do so")
}

// seal puts the checksum right, so that damage reaches what is behind it.
func seal(b []byte) []byte {
	if len(b) >= 24 {
		binary.LittleEndian.PutUint64(b[8:], uint64(len(b)-24))
		binary.LittleEndian.PutUint32(b[16:], crc32.Checksum(b[24:], crc32.MakeTable(crc32.Castagnoli)))
	}
	return b
}

// use does everything to a segment that could fail on bad content.
func use(s *index.Segment, w *world) {
	var sc index.Scratch
	for range 4 {
		s.Match(&sc, w.event(), nil)
	}
	for id := range min(s.Len(), 50) {
		_ = s.Place(index.ID(id)).String()
	}
	s.AppendBinary(nil)
	if x, err := index.NewIndex(s, s).Merge(); err == nil {
		x.Match(&sc, w.event(), nil)
	}
}

// Damage behind a right checksum gives an error or a segment that works.
func TestLoadForged(t *testing.T) {
	w := newWorld(3)
	w.leafs = testLeafs()
	good := build(t, w.formulas(120)).AppendBinary(nil)
	refused := 0
	for range 1000 {
		bad := append([]byte(nil), good...)
		for range 1 + w.rand.IntN(3) {
			at := 24 + w.rand.IntN(len(bad)-24)
			bad[at] = byte(w.rand.Uint32())
		}
		s, err := index.Load(seal(bad), nil, leafNamed)
		if err != nil {
			refused++
			continue
		}
		use(s, w)
	}
	assert.Positive(t, refused)
}

func FuzzLoad(f *testing.F) {
	for seed := range uint64(6) {
		w := newWorld(seed)
		w.leafs = testLeafs()
		f.Add(build(f, w.formulas(int(seed)*6)).AppendBinary(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := index.Load(seal(append([]byte(nil), b...)), nil, leafNamed)
		if err == nil {
			use(s, newWorld(1))
		}
	})
}

func lit(a *predicate.Atom) predicate.Formula {
	return predicate.Formula{Kind: predicate.FormulaAtom, Atom: a, Want: predicate.True}
}
