package cep

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/event"
)

// TestResult is what became of one entry of a rule's `tests:`.
type TestResult struct {
	Matches []Match  // of the rule, timeouts included
	Failed  []string // what is not as the test says, each in a sentence
}

// Passed reports whether the test holds.
func (r TestResult) Passed() bool { return len(r.Failed) == 0 }

// RunTest runs one test of a rule on its own. given is the content of the file
// that the test names; it is not used when the test lists its events itself. tables
// may be nil. The error names the line that cannot be read.
func RunTest(r *Rule, t Test, given []byte, tables *Tables) (TestResult, error) {
	live := *r
	live.Mode = Live // a rule that is off or in shadow can be tested all the same
	p, err := Compile([]*Rule{&live})
	if err != nil {
		return TestResult{}, err
	}
	if t.Given == "" {
		given = bytes.Join(t.Events, []byte("\n"))
	}
	s := NewStream(p, Options{Explain: true, Tables: tables})
	var out TestResult
	lines := event.NewReader(bytes.NewReader(given), 0)
	for {
		n, text, err := lines.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			out.Matches, err = s.Line(n, text, out.Matches)
		}
		if err != nil {
			return TestResult{}, testError(t, err)
		}
	}
	if !t.Advance.IsZero() {
		out.Matches = s.AdvanceTo(t.Advance, out.Matches)
	}
	for _, stopped := range s.Matcher().Stopped() {
		out.Failed = append(out.Failed, stopped.Error())
	}
	out.judge(t.Expect)
	return out, nil
}

// judge compares what came with what was to come.
func (r *TestResult) judge(want syntax.Expect) {
	matches, timeouts := 0, 0
	var bind [][]syntax.Bound
	for i := range r.Matches {
		if r.Matches[i].Timeout {
			timeouts++
			continue
		}
		matches++
		bind = append(bind, boundOf(&r.Matches[i]))
	}
	count := func(want, got int, what string) {
		if want >= 0 && want != got {
			r.Failed = append(r.Failed, fmt.Sprintf("%d %s instead of %d", got, what, want))
		}
	}
	count(want.Matches, matches, "matches")
	count(want.Timeouts, timeouts, "timeouts")
	for i := range min(len(want.Bind), len(bind)) {
		if !reflect.DeepEqual(want.Bind[i], bind[i]) {
			r.Failed = append(r.Failed, fmt.Sprintf("match %d binds %s instead of %s", i+1, showBound(bind[i]), showBound(want.Bind[i])))
		}
	}
}

func boundOf(m *Match) []syntax.Bound {
	var list []syntax.Bound
	for _, b := range m.Bind {
		bound := syntax.Bound{Element: b.Element}
		for _, ev := range b.Events {
			bound.Events = append(bound.Events, ev.ID)
		}
		list = append(list, bound)
	}
	slices.SortFunc(list, func(a, b syntax.Bound) int { return strings.Compare(a.Element, b.Element) })
	return list
}

func showBound(list []syntax.Bound) string {
	var parts []string
	for _, b := range list {
		parts = append(parts, b.Element+": ["+strings.Join(b.Events, ", ")+"]")
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func testError(t Test, err error) error {
	if t.Given == "" {
		return fmt.Errorf("%s: events of the test: %w", t.Pos, err)
	}
	return fmt.Errorf("%s: %s: %w", t.Pos, t.Given, err)
}
