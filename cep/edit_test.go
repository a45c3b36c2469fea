package cep

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/event"
)

func parsed(t require.TestingT, text string) []*Rule {
	rules, err := ParseRules("r.yaml", []byte(text))
	require.NoError(t, err)
	return rules
}

func drawRule(t *rapid.T, name string) *Rule {
	draw := func(what string, from ...string) string { return rapid.SampledFrom(from).Draw(t, what) }
	kind := draw("type", "fail", "ok", "other")
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		return parsed(t, fmt.Sprintf("rule: %s\nwhen: type == %q && data.ip == %s\n", name, kind, draw("ip", "0", "1")))[0]
	case 1:
		return parsed(t, fmt.Sprintf("rule: %s\nmode: \"off\"\nwhen: type == %q\n", name, kind))[0]
	default:
		return parsed(t, fmt.Sprintf("rule: %s\nwhen:\n  pattern: a %s b\n  define: {a: type == %q, b: data.user == %s}\n  by: data.ip\n  within: %s\n",
			name, draw("link", "then", "next"), kind, draw("user", "a.data.user", `"u0"`), draw("within", "3s", "30s")))[0]
	}
}

// A program that was edited finds what one compiled at once finds, and a matcher
// that follows the edits what one finds that is given the compiled programs.
func TestEditsAreAsGoodAsNew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, err := Compile(nil)
		require.NoError(t, err)
		edited, compiled := NewMatcher(p, Options{}), NewMatcher(p, Options{})
		var want, got []string
		lines := func(list []string, ms []Match) []string {
			for i := range ms {
				list = append(list, string(ms[i].AppendJSON(nil)))
			}
			return list
		}
		for i, f := range drawFed(t, 30) {
			if rapid.IntRange(0, 2).Draw(t, "edit") == 0 {
				var put []*Rule
				var remove []string
				for n := range 3 {
					name := fmt.Sprint("r", n)
					switch rapid.IntRange(0, 3).Draw(t, name) {
					case 0:
						put = append(put, drawRule(t, name))
					case 1:
						remove = append(remove, name)
					}
				}
				p, err = p.Edit(put, remove)
				require.NoError(t, err)
				if c, ok := p.Compact(); ok {
					require.NoError(t, c.Run())
					p = p.Apply(c)
				}
				whole, err := Compile(p.Rules())
				require.NoError(t, err)
				require.Equal(t, whole.Digest(), p.Digest())
				require.Equal(t, compiled.Swap(whole), edited.Swap(p))
			}
			pos := Position{Seq: uint64(i)}
			want, got = lines(want, compiled.Feed(f.ev, pos, f.at, nil)), lines(got, edited.Feed(f.ev, pos, f.at, nil))
			require.Equal(t, want, got)
		}
		end := time.Unix(1000, 0)
		require.Equal(t, lines(nil, compiled.Advance(end, Position{}, nil)), lines(nil, edited.Advance(end, Position{}, nil)))
	})
}

// A thousand edits and more leave an index in a few pieces, and a program that
// was compacted beside further edits is the same.
func TestCompact(t *testing.T) {
	rule := func(i int) []*Rule {
		return parsed(t, fmt.Sprintf("rule: r%d\nwhen: type == \"t\" && data.n == %d\n", i, i))
	}
	p, err := Compile(nil)
	require.NoError(t, err)
	joined := false
	for i := range 5000 {
		c, worth := p.Compact()
		p, err = p.Edit(rule(i), nil)
		require.NoError(t, err)
		if worth {
			require.NoError(t, c.Run())
			p, joined = p.Apply(c), true
		}
	}
	assert.True(t, joined)
	assert.Less(t, len(p.index.Segments()), 12)
	m := NewMatcher(p, Options{})
	for _, n := range []int{0, 17, 4999} {
		ms := m.Feed(&event.Event{ID: "e", Type: "t", Data: fmt.Appendf(nil, `{"n":%d}`, n)}, Position{}, time.Time{}, nil)
		require.Len(t, ms, 1)
		assert.Equal(t, fmt.Sprint("r", n), ms[0].Rule.Name)
	}
}

func TestEditRefuses(t *testing.T) {
	p := mustCompile(t, "rule: a\nwhen: type == \"x\"\n")
	_, err := p.Edit(parsed(t, "rule: b\nwhen: type == 1 +\n---\nrule: c\nwhen: nonsense(1)\n"), nil)
	require.ErrorContains(t, err, "r.yaml:2:")
	require.ErrorContains(t, err, "r.yaml:5:")
	_, err = p.Edit(append(parsed(t, "rule: b\nwhen: type == \"1\"\n"), parsed(t, "rule: b\nwhen: type == \"2\"\n")...), nil)
	require.ErrorContains(t, err, "b is also the name of the rule at r.yaml:1:1")

	q, err := p.Update(parsed(t, "rule: b\nwhen: type == \"y\"\n"))
	require.NoError(t, err)
	assert.Equal(t, 1, q.Len())
	_, there := q.Rule("a")
	assert.False(t, there)
	_, there = p.Rule("a")
	assert.True(t, there, "the program edited is as it was")
}
