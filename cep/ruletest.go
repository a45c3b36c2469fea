package cep

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/rhost/rhost/event"
)

// TestResult is what became of one entry of a rule's `tests:`.
type TestResult struct {
	Want, Got int     // matches of the rule
	Matches   []Match // of the rule, timeouts included
}

// Passed reports whether the test holds.
func (r TestResult) Passed() bool { return r.Want == r.Got }

// RunTest runs one test of a rule on its own. given is the content of the file
// that the test names; it is not used when the test lists its events itself. The
// error names the line that cannot be read.
func RunTest(r *Rule, t Test, given []byte) (TestResult, error) {
	live := *r
	live.Mode = Live // a rule that is off or in shadow can be tested all the same
	p, err := Compile([]*Rule{&live})
	if err != nil {
		return TestResult{}, err
	}
	if t.Given == "" {
		given = bytes.Join(t.Events, []byte("\n"))
	}
	s := NewStream(p, Options{Explain: true})
	out := TestResult{Want: t.Expect.Matches}
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
	for i := range out.Matches {
		if !out.Matches[i].Timeout {
			out.Got++
		}
	}
	return out, nil
}

func testError(t Test, err error) error {
	if t.Given == "" {
		return fmt.Errorf("%s: events of the test: %w", t.Pos, err)
	}
	return fmt.Errorf("%s: %s: %w", t.Pos, t.Given, err)
}
