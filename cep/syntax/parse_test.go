package syntax_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/syntax"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with a file, or rewrites the file.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "%s; run with -update after looking at the difference", file)
}

// TestBadDocuments holds the exact text of every complaint.
func TestBadDocuments(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var b strings.Builder
	for _, file := range files {
		src, err := os.ReadFile(file)
		require.NoError(t, err)
		rules, err := syntax.Parse(filepath.Base(file), src)
		require.Error(t, err, "Parse(%s)", file)
		fmt.Fprintf(&b, "%s\n", err)
		for _, r := range rules {
			fmt.Fprintf(&b, "%s: the rule %s is fine\n", r.Pos, r.Name)
		}
		b.WriteByte('\n')
	}
	golden(t, "testdata/bad.golden", b.String())
}

// TestGoodDocuments holds what is understood of documents without mistakes.
func TestGoodDocuments(t *testing.T) {
	files, err := filepath.Glob("testdata/good/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			require.NoError(t, err)
			rules, err := syntax.Parse(filepath.Base(file), src)
			require.NoError(t, err)
			var b strings.Builder
			for _, r := range rules {
				describe(&b, r)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden", b.String())
		})
	}
}

func describe(b *strings.Builder, r *syntax.Rule) {
	fmt.Fprintf(b, "%s %s mode %s priority %s severity %q owner %q runbook %q labels %v tags %v\n",
		r.Pos, r.Name, r.Mode, r.Priority, r.Severity, r.Owner, r.Runbook, r.Labels, r.Tags)
	fmt.Fprintf(b, "version %s\ndescription %q\n", r.Version, r.Description)
	w := r.When
	fmt.Fprintf(b, "when %s bare %v pattern %q at %s\n", w.Pos, w.Bare(), w.Pattern, w.TextPos)
	fmt.Fprintf(b, "by %v within %s skip %s emit %s on timeout %v limit %d %s\n", w.By, w.Within, w.Skip, w.Emit, w.OnTimeout, w.Limit.Runs, w.Limit.Full)
	for _, u := range w.Pattern.Units {
		fmt.Fprintf(b, "  %s %s %s {%d,%d} optional %v repeated %v repeat %s: %q at %s\n",
			u.Pos, u.Link, u.Name, u.Min, u.Max, u.Optional, u.Repeated(), u.Repeat, u.Cond, u.CondPos)
	}
	for _, n := range []struct {
		key  string
		have bool
	}{{"do", r.Do != nil}, {"on_failure", r.OnFailure != nil}} {
		if n.have {
			fmt.Fprintf(b, "%s\n", n.key)
		}
	}
	for _, test := range r.Tests {
		fmt.Fprintf(b, "test %s given %q %q matches %d\n", test.Pos, test.Given, test.Events, test.Expect.Matches)
	}
	b.WriteByte('\n')
}

// Match ids hold the version of a rule, so what a rule means to it never
// changes: the golden file of this test is not to be rewritten.
func TestVersionsAreFrozen(t *testing.T) {
	src, err := os.ReadFile("testdata/frozen/rules.yaml")
	require.NoError(t, err)
	rules, err := syntax.Parse("rules.yaml", src)
	require.NoError(t, err)
	var b strings.Builder
	for _, r := range rules {
		fmt.Fprintf(&b, "%s %s\n", r.Version, r.Name)
	}
	golden(t, "testdata/frozen/versions.golden", b.String())
}
