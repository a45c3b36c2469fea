package syntax_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/yamldoc"
)

// checkProblems checks that every problem says where it is and of what sort.
func checkProblems(t require.TestingT, err error) {
	var errs yamldoc.Errors
	require.True(t, errors.As(err, &errs))
	for _, e := range errs {
		require.NotEmpty(t, e.Code)
		require.NotEmpty(t, e.Msg)
		require.Equal(t, "f.yaml", e.Pos.File)
		require.Positive(t, e.Pos.Line, e)
	}
}

// FuzzParse: no document makes a panic, every problem has a place, every rule
// keeps the promises, and reading documents one by one gives the same.
func FuzzParse(f *testing.F) {
	for _, glob := range []string{"testdata/good/*.yaml", "testdata/bad/*.yaml", "testdata/frozen/*.yaml"} {
		files, err := filepath.Glob(glob)
		require.NoError(f, err)
		for _, file := range files {
			src, err := os.ReadFile(file)
			require.NoError(f, err)
			f.Add(src)
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		rules, err := syntax.Parse("f.yaml", src)
		if err != nil {
			checkProblems(t, err)
		}
		versions := map[string]int{}
		for _, r := range rules {
			checkInvariants(t, r)
			r.Steps()
			versions[r.Version]++
		}
		for _, part := range (syntax.Source{File: "f.yaml", Line: 1, Text: string(src)}).Split(3) {
			for r := range part.Rules() { //nolint:errcheck // whatever is wrong with it
				if r != nil {
					versions[r.Version]--
				}
			}
		}
		for _, r := range rules {
			require.LessOrEqual(t, versions[r.Version], 0, r.Name) // below zero: the name was there before
		}
	})
}

// FuzzPattern: what is accepted prints as something that means the same.
func FuzzPattern(f *testing.F) {
	for _, seed := range []string{
		"a", "a then b", "(a | b){2,}", "a & b & a1 next not c", "((a then b)+ then c)?", "a{2}?", "(a|(b|c))&d then any e", "a{1", "a next any b", "a\u00e9 then",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		src := spelled(pattern)
		rules, err := syntax.Parse("f.yaml", []byte(src))
		if err != nil {
			checkProblems(t, err)
			return
		}
		require.Len(t, rules, 1)
		checkInvariants(t, rules[0])
		p := rules[0].When.Pattern
		again := respelled(t, src, p)
		require.Equal(t, bare(p), bare(again), "%q as %q", pattern, p)
	})
}

// spelled is a rule with the pattern and a definition for every word in it.
func spelled(pattern string) string {
	src := fmt.Sprintf("rule: r\nwhen:\n  within: 1m\n  pattern: %q\n  define:\n", pattern)
	seen := map[string]bool{"then": true, "next": true, "any": true, "not": true}
	word := ""
	for _, c := range pattern + " " {
		if c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			word += string(c)
			continue
		}
		if word != "" && (word[0] < '0' || word[0] > '9') && !seen[word] {
			seen[word] = true
			src += fmt.Sprintf("    %q: data.x\n", word)
		}
		word = ""
	}
	return src
}
