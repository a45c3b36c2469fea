package syntax_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/yamldoc"
)

// bare drops what differs between two spellings of a pattern: where it stands.
func bare(p syntax.Pattern) syntax.Pattern {
	for i := range p.Elems {
		p.Elems[i].Pos, p.Elems[i].CondPos = yamldoc.Pos{}, yamldoc.Pos{}
	}
	var unplaced func(seq []syntax.Term)
	unplaced = func(seq []syntax.Term) {
		for i := range seq {
			seq[i].Pos, seq[i].UntilPos = yamldoc.Pos{}, yamldoc.Pos{}
			for _, part := range seq[i].Parts() {
				unplaced(part)
			}
		}
	}
	unplaced(p.Seq)
	return p
}

// respelled gives the rule with its pattern as the pattern prints itself.
func respelled(t require.TestingT, src string, p syntax.Pattern) syntax.Pattern {
	at := strings.Index(src, "  pattern: ")
	rest := src[at+len("  pattern: "):]
	src = src[:at] + fmt.Sprintf("  pattern: %q\n", p) + rest[strings.IndexByte(rest, '\n')+1:]
	rules, err := syntax.Parse("r.yaml", []byte(src))
	require.NoError(t, err, src)
	return rules[0].When.Pattern
}

// Whatever pattern is accepted, its own spelling means the same.
func TestPatternStringParsesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := &generator{t: t, budget: 12}
		src := g.rule()
		rules, err := syntax.Parse("r.yaml", []byte(src))
		if err != nil && strings.Contains(err.Error(), "states") {
			t.Skip("too large")
		}
		require.NoError(t, err, src)
		p := rules[0].When.Pattern
		checkInvariants(t, rules[0])
		again := respelled(t, src, p)
		assert.Equal(t, p.String(), again.String())
		assert.Equal(t, bare(p), bare(again), src)
	})
}

// checkInvariants checks what is promised of every rule given out.
func checkInvariants(t require.TestingT, r *syntax.Rule) {
	require.NotEmpty(t, r.Name)
	require.Len(t, r.Version, 64)
	require.Positive(t, r.Pos.Line)
	w := &r.When
	require.GreaterOrEqual(t, w.Limit.Runs, 1)
	if len(w.Pattern.Elems) == 0 {
		require.True(t, w.Window != nil || w.Schedule != nil || w.State != nil)
		return
	}
	seen := map[string]bool{}
	for _, e := range w.Pattern.Elems {
		require.False(t, seen[e.Name], e.Name)
		seen[e.Name] = true
		require.NotEmpty(t, e.Cond)
	}
	if w.Skip == syntax.ToFirst || w.Skip == syntax.ToLast {
		require.False(t, w.Pattern.Elems[w.SkipTo].Negative)
	} else {
		require.Equal(t, -1, w.SkipTo)
	}
	next := 0
	checkSequence(t, &w.Pattern, w.Pattern.Seq, true, &next)
	require.Equal(t, len(w.Pattern.Elems), next, "elements stand in the order of the text")
}

func checkSequence(t require.TestingT, p *syntax.Pattern, seq []syntax.Term, top bool, next *int) {
	require.NotEmpty(t, seq)
	for i := range seq {
		term := &seq[i]
		require.Equal(t, i == 0, term.Link == syntax.Begin)
		require.GreaterOrEqual(t, term.Min, 1)
		require.True(t, term.Max == syntax.Unbounded || term.Max >= term.Min)
		require.Contains(t, []syntax.Link{syntax.Then, syntax.Next, syntax.Any}, term.Repeat)
		if term.Until != "" {
			require.Equal(t, syntax.Unbounded, term.Max)
		}
		if term.Link.Negative() {
			require.True(t, term.Elem >= 0 && term.Min == 1 && term.Max == 1 && !term.Optional && !seq[i-1].Optional)
			require.True(t, top || i < len(seq)-1)
		}
		kinds := 0
		for _, set := range []bool{term.Elem >= 0, term.Group != nil, term.Either != nil, term.Both != nil} {
			if set {
				kinds++
			}
		}
		require.Equal(t, 1, kinds)
		require.LessOrEqual(t, len(term.Both), syntax.MaxBoth)
		if term.Elem >= 0 {
			require.Equal(t, *next, term.Elem)
			require.Equal(t, term.Link.Negative(), p.Elems[term.Elem].Negative)
			*next++
		}
		for _, part := range term.Parts() {
			checkSequence(t, p, part, false, next)
		}
	}
}
