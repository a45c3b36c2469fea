package cep

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A program from the cache is the program that was written, for matching, plans,
// edits and snapshots alike.
func TestCacheIsAsGoodAsNew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rules []*Rule
		for i := range rapid.IntRange(0, 6).Draw(t, "rules") {
			rules = append(rules, drawRule(t, fmt.Sprint("r", i)))
		}
		p, err := Compile(rules)
		require.NoError(t, err)
		b, ok := p.AppendCache(nil, "key")
		require.True(t, ok)
		q, err := LoadProgram(b, "key")
		require.NoError(t, err)
		require.Equal(t, p.Digest(), q.Digest())
		again, ok := q.AppendCache(nil, "key")
		require.True(t, ok)
		_, err = LoadProgram(again, "key")
		require.NoError(t, err)

		fresh, cached := NewMatcher(p, Options{}), NewMatcher(q, Options{})
		var want, got []string
		for i, f := range drawFed(t, 20) {
			pos := Position{Seq: uint64(i)}
			for _, m := range fresh.Feed(f.ev, pos, f.at, nil) {
				want = append(want, string(m.AppendJSON(nil)))
			}
			for _, m := range cached.Feed(f.ev, pos, f.at, nil) {
				got = append(got, string(m.AppendJSON(nil)))
			}
			if rapid.IntRange(0, 5).Draw(t, "edit") == 0 {
				put := []*Rule{drawRule(t, "r1")}
				p, err = p.Edit(put, []string{"r0"})
				require.NoError(t, err)
				q, err = q.Edit(put, []string{"r0"})
				require.NoError(t, err)
				require.Equal(t, fresh.Swap(p), cached.Swap(q))
			}
		}
		require.Equal(t, want, got)
		for _, r := range p.Rules() {
			a, _ := p.Plan(r.Name)
			b, _ := q.Plan(r.Name)
			require.Equal(t, a, b)
		}
		_, ok = p.AppendCache(nil, "key")
		require.Equal(t, p.index.Len() == int(p.index.Next()) && len(p.index.Segments()) < 2 && p.inOrder(), ok)
	})
}

func TestCacheRefuses(t *testing.T) {
	p := mustCompile(t, snapshotRules)
	b, ok := p.AppendCache(nil, "key")
	require.True(t, ok)
	_, err := LoadProgram(b, "another")
	require.ErrorIs(t, err, ErrCache)
	for i := range b {
		broken := append([]byte(nil), b...)
		broken[i] ^= 0x20
		_, err := LoadProgram(broken, "key")
		require.ErrorIs(t, err, ErrCache, "byte %d", i)
		_, err = LoadProgram(b[:i], "key")
		require.ErrorIs(t, err, ErrCache, "%d bytes", i)
	}
}
