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
	"github.com/rhost/rhost/yamldoc"
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
	fmt.Fprintf(b, "on change %s\n", r.OnChange)
	describeWhen(b, &r.When)
	do, onFailure := r.Steps()
	for _, n := range []struct {
		key   string
		steps *yamldoc.Node
	}{{"do", do}, {"on_failure", onFailure}} {
		if n.steps != nil {
			fmt.Fprintf(b, "%s %d at %s\n", n.key, len(n.steps.Items), n.steps.Items[0].Pos)
		}
	}
	for _, test := range r.Tests {
		fmt.Fprintf(b, "test %s given %q %q advance %v expect %v\n", test.Pos, test.Given, test.Events, test.Advance, test.Expect)
	}
	b.WriteByte('\n')
}

func describeWhen(b *strings.Builder, w *syntax.When) {
	fmt.Fprintf(b, "bare %v pattern %q at %s\n", w.Bare(), w.Pattern, w.TextPos)
	fmt.Fprintf(b, "by %v within %s skip %s %d strict %v emit %s on timeout %v limit %d %s score %q at %s least %v\n",
		w.By, w.Within, w.Skip, w.SkipTo, w.Strict, w.Emit, w.OnTimeout, w.Limit.Runs, w.Limit.Full, w.Score, w.ScorePos, w.AtLeast)
	describeTerms(b, "  ", w.Pattern.Seq)
	for i, e := range w.Pattern.Elems {
		fmt.Fprintf(b, "  %d %s %s negative %v repeated %v optional %v: %q at %s\n", i, e.Pos, e.Name, e.Negative, e.Repeated, e.Optional, e.Cond, e.CondPos)
	}
	if w.Window != nil {
		fmt.Fprintf(b, "window %+v\n", *w.Window)
	}
	if w.Schedule != nil {
		fmt.Fprintf(b, "schedule %+v\n", *w.Schedule)
	}
	if w.State != nil {
		fmt.Fprintf(b, "state %+v\n", *w.State)
	}
}

func describeTerms(b *strings.Builder, indent string, seq []syntax.Term) {
	for i := range seq {
		t := &seq[i]
		fmt.Fprintf(b, "%s%s %s elem %d %s{%d,%d} optional %v repeat %s greedy %v until %q at %s gap %s wait %s\n", indent,
			t.Pos, t.Link, t.Elem, t.Name, t.Min, t.Max, t.Optional, t.Repeat, t.Greedy, t.Until, t.UntilPos, t.Gap, t.Wait)
		kind := map[bool]string{true: "either", false: "both"}[t.Either != nil]
		if t.Group != nil {
			kind = "group"
		}
		for _, part := range t.Parts() {
			fmt.Fprintf(b, "%s %s\n", indent, kind)
			describeTerms(b, indent+"  ", part)
		}
	}
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

func TestCodesAreExplained(t *testing.T) {
	for _, code := range []string{
		syntax.CodeKey, syntax.CodeLater, syntax.CodeRequired, syntax.CodeType, syntax.CodeValue, syntax.CodeName,
		syntax.CodeDuplicate, syntax.CodePattern, syntax.CodeNot, syntax.CodeElement, syntax.CodeWithin, syntax.CodeStates,
		syntax.CodeNesting, syntax.CodeLoop,
	} {
		assert.NotEmpty(t, syntax.Codes()[code], code)
	}
	assert.Len(t, syntax.Codes(), 14)
}
