package cep_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
)

// TestManualAfterSnapshots feeds the examples of the manual to two matchers, of
// which one is written to a snapshot and restored before every event. Both give the
// same matches.
func TestManualAfterSnapshots(t *testing.T) {
	blocks, rows := readPage(t, "../docs/rules.md")
	for _, e := range examples(t, blocks) {
		program := compiled(e.open.text)
		for _, c := range e.checks {
			if c.kind == "ndjson events" && program != nil {
				assertSnapshots(t, c.line, program, cep.Options{Tables: cep.NewTables(e.tables(t))}, strings.Split(strings.TrimSpace(c.text), "\n"))
			}
		}
	}
	for _, r := range rows {
		if program := r.program(); program != nil {
			assertSnapshots(t, r.line, program, cep.Options{}, r.lines(t))
		}
	}
}

// TestManualInNFA gives the rows of patterns that a more frugal engine follows to
// the one that follows everything, by adding a condition on other elements that
// always holds. Both give the same matches.
func TestManualInNFA(t *testing.T) {
	_, rows := readPage(t, "../docs/rules.md")
	compared := 0
	for _, r := range rows {
		program := r.program()
		if program == nil {
			continue
		}
		elements := plainElement.FindAllStringSubmatch(r.rule(), -1)
		if len(elements) == 0 {
			continue
		}
		first, last := elements[0], elements[len(elements)-1]
		other := compiled(strings.Replace(r.rule(), last[0], fmt.Sprintf("%s && count(%s) >= 0", last[0], first[1]), 1))
		if other == nil {
			continue // an element of one event cannot name itself
		}
		one, _ := program.Plan("r")
		two, _ := other.Plan("r")
		if one.Engine == two.Engine {
			continue
		}
		require.Equal(t, "nfa", two.Engine)
		compared++
		a, b := cep.NewStream(program, cep.Options{}), cep.NewStream(other, cep.Options{})
		var x, y []cep.Match
		for i, line := range r.lines(t) {
			var err error
			x, err = a.Line(i+1, []byte(line), x)
			require.NoError(t, err)
			y, err = b.Line(i+1, []byte(line), y)
			require.NoError(t, err)
		}
		assert.Equal(t, matchesOf(x), matchesOf(y), "line %d: %s and nfa", r.line, one.Engine)
	}
	assert.Greater(t, compared, 50, "rows were compared")
}

var plainElement = regexp.MustCompile(`(?m)^    ([a-z]\w*): type == "\w+"$`)

func matchesOf(matches []cep.Match) string {
	var list []string
	for i := range matches {
		list = append(list, shown(&matches[i], true))
	}
	return strings.Join(list, " · ")
}

// compiled gives the program of rules, nil for such as are refused on purpose.
func compiled(text string) *cep.Program {
	rules, err := cep.ParseRules("rule.yaml", []byte(text))
	if err != nil {
		return nil
	}
	program, err := cep.Compile(rules)
	if err != nil {
		return nil
	}
	return program
}

// program gives the rule of a row of patterns, nil of other rows.
func (r row) program() *cep.Program {
	if r.table != patterns || r.cells[2] == "refused" {
		return nil
	}
	return compiled(r.rule())
}

func assertSnapshots(t *testing.T, line int, p *cep.Program, o cep.Options, lines []string) {
	t.Helper()
	straight, broken := cep.NewMatcher(p, o), cep.NewMatcher(p, o)
	for i, text := range lines {
		var err error
		broken, err = cep.RestoreMatcher(p, o, broken.AppendSnapshot(nil))
		require.NoError(t, err)
		want, got := fedLine(t, straight, i+1, text), fedLine(t, broken, i+1, text)
		assert.Equal(t, want, got, "line %d, event %d", line, i+1)
	}
}

// fedLine gives what a line leads to, as `rhost match` would print it.
func fedLine(t *testing.T, m *cep.Matcher, n int, text string) string {
	t.Helper()
	pos := cep.Position{Seq: uint64(n)}
	var matches []cep.Match
	if mark, ok := strings.CutPrefix(text, `{"watermark":"`); ok {
		at, err := time.Parse(time.RFC3339, strings.TrimSuffix(mark, `"}`))
		require.NoError(t, err)
		matches = m.Advance(at, pos, nil)
	} else {
		ev, err := event.ParseLoose([]byte(text))
		require.NoError(t, err)
		at := ev.Time
		if at.IsZero() {
			ev.Time = m.Now()
		}
		matches = m.Feed(&ev, pos, at, nil)
	}
	var b []byte
	for i := range matches {
		b = append(matches[i].AppendJSON(b), '\n')
	}
	return string(b)
}
