package predicate

import (
	"regexp/syntax"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// An expression that counts nothing is never compiled only to see how large it
// becomes: its length bounds that.
func TestTheLengthBoundsAnExpressionWithoutCounts(t *testing.T) {
	parts := []string{"a", "k", "é", "(", ")", "(?:", "(?i)", "|", "||", "*", "+", "?", ".", "^", "$", `\b`, `\d`, "[a-c]", "[^x]", "()", "(?s:.)"}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 1, 40).Draw(t, "parts"), "")
		parsed, err := syntax.Parse(text, syntax.Perl)
		if err != nil {
			t.Skip("no expression")
		}
		prog, err := syntax.Compile(parsed.Simplify())
		require.NoError(t, err)
		assert.LessOrEqual(t, len(prog.Inst), perCharacter*len(text)+2, "%q", text)
	})
}

func TestAnExpressionThatCompilesToTooMuchIsRefused(t *testing.T) {
	require.NoError(t, checkRegexp("a{1000}"))
	require.NoError(t, checkRegexp(strings.Repeat("(a|b)", MaxPattern/5)))
	require.ErrorIs(t, checkRegexp("(ab){1000}"), errPatternTooLarge)
	require.ErrorIs(t, checkRegexp(strings.Repeat("a{500}", 5)), errPatternTooLarge)
}
