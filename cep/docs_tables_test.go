package cep_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep"
)

// row is a row of a table of the manual that is run.
type row struct {
	line  int
	table string // its columns
	cells []string
}

// The tables that are run, by their columns.
const (
	selections = "Selection Condition"
	conditions = "Condition Event Result"
	engines    = "Pattern With Engine"
	patterns   = "Pattern With Events Matches"
)

var runTables = []string{selections, conditions, engines, patterns}

// tableReader finds the tables whose columns say that they are run.
type tableReader struct {
	columns string
	last    []string // cells of the row above
}

func (r *tableReader) line(n int, text string, rows []row) []row {
	cells := cellsOf(text)
	switch header := strings.Join(cells, " "); {
	case cells == nil:
		r.columns, r.last = "", nil
	case slices.Contains(runTables, header):
		r.columns = header
	case r.columns == "" || strings.HasPrefix(cells[0], "---"):
	default:
		if cells[0] == "" && r.last != nil { // as above
			cells[0] = r.last[0]
			if len(cells) == 4 && cells[1] == "" { // nor other keys
				cells[1] = r.last[1]
			}
		}
		r.last = cells
		rows = append(rows, row{n, r.columns, cells})
	}
	return rows
}

// cellsOf cuts a line of a table at its bars, and takes the backticks off.
func cellsOf(text string) []string {
	if !strings.HasPrefix(text, "|") {
		return nil
	}
	const bar = "\x00"
	text = strings.ReplaceAll(strings.Trim(text, "|"), `\|`, bar)
	var cells []string
	for c := range strings.SplitSeq(text, "|") {
		c = strings.TrimSpace(strings.ReplaceAll(c, bar, "|"))
		if strings.Count(c, "`") == 2 && c[0] == '`' && c[len(c)-1] == '`' {
			c = strings.Trim(c, "`")
		}
		cells = append(cells, c)
	}
	return cells
}

func (r row) run(t *testing.T) {
	require.Len(t, r.cells, len(strings.Fields(r.table)))
	switch r.table {
	case selections:
		r.selection(t)
	case conditions:
		r.condition(t)
	case engines:
		r.engine(t)
	default:
		r.pattern(t)
	}
}

// condition tries a condition on an event, whose type is a unless it says another.
func (r row) condition(t *testing.T) {
	cond, line, result := r.cells[0], r.cells[1], r.cells[2]
	rules, err := cep.ParseRules("rule.yaml", []byte("rule: r\nwhen: |\n  "+cond+"\n"))
	var program *cep.Program
	if err == nil {
		program, err = cep.Compile(rules)
	}
	if want, ok := strings.CutPrefix(result, "refused: "); ok {
		require.ErrorContains(t, err, strings.Trim(want, "`"))
		return
	}
	require.NoError(t, err)
	if !strings.Contains(line, `"type"`) {
		line = strings.Replace(line, "{", `{"type":"a",`, 1)
		line = strings.Replace(line, ",}", "}", 1)
	}
	matches, err := cep.NewStream(program, cep.Options{}).Line(1, []byte(line), nil)
	require.NoError(t, err)
	word, _, _ := strings.Cut(result, ":")
	assert.Equal(t, strings.Trim(word, "* "), map[bool]string{true: "match", false: "no match"}[len(matches) == 1], "%s on %s", cond, line)
}

var names = regexp.MustCompile(`[a-z_]\w*`)

// whenKeys are the keys that a table may put beside a pattern; other keys are
// those of elements and groups.
var whenKeys = []string{"within", "skip", "emit", "on_timeout", "limit", "by", "score", "at_least"}

// pattern tries a pattern on events: a1 is one of type a with data.n 1, a second
// after the one before or at the time behind @; @9s alone only moves time on. The
// elements of the pattern take events of the type of their name.
func (r row) pattern(t *testing.T) {
	text := r.rule()
	rules, err := cep.ParseRules("rule.yaml", []byte(text))
	var program *cep.Program
	if err == nil {
		program, err = cep.Compile(rules)
	}
	if r.cells[2] == "refused" {
		require.ErrorContains(t, err, strings.Trim(r.cells[3], "`"), text)
		return
	}
	require.NoError(t, err, text)
	s := cep.NewStream(program, cep.Options{})
	var got []cep.Match
	for i, line := range r.lines(t) {
		got, err = s.Line(i+1, []byte(line), got)
		require.NoError(t, err)
	}
	want := r.cells[3]
	if want == "none" {
		want = ""
	}
	var list []string
	for i := range got {
		list = append(list, shown(&got[i], strings.Contains(want, "@")))
	}
	assert.Equal(t, want, strings.Join(list, " · "), "%s over %s", text, r.cells[2])
}

// lines writes the events of a row.
func (r row) lines(t *testing.T) (lines []string) {
	t.Helper()
	at := base.Add(-time.Second)
	for word := range strings.FieldsSeq(r.cells[2]) {
		id, when, timed := strings.Cut(word, "@")
		at = at.Add(time.Second)
		if timed {
			d, err := time.ParseDuration(when)
			require.NoError(t, err)
			at = base.Add(d)
		}
		line := fmt.Sprintf(`{"watermark":%q}`, at.Format(time.RFC3339Nano))
		if id != "" {
			line = fmt.Sprintf(`{"id":%q,"type":%q,"time":%q,"data":{"n":%s}}`, id, id[:1], at.Format(time.RFC3339Nano), id[1:])
		}
		lines = append(lines, line)
	}
	return lines
}

var base = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// engine asks which engine follows a pattern.
func (r row) engine(t *testing.T) {
	rules, err := cep.ParseRules("rule.yaml", []byte(r.rule()))
	require.NoError(t, err)
	program, err := cep.Compile(rules)
	require.NoError(t, err)
	plan, _ := program.Plan("r")
	assert.Equal(t, r.cells[2], plan.Engine, plan.Why)
}

// rule writes the rule of a row of patterns.
func (r row) rule() string {
	var when, define []string
	inside := r.cells[0]
	said := map[string]bool{"then": true, "next": true, "any": true, "not": true}
	for part := range strings.SplitSeq(strings.Trim(r.cells[1], "`"), "; ") {
		key, value, ok := strings.Cut(part, ": ")
		switch {
		case !ok:
		case slices.Contains(whenKeys, key):
			when = append(when, part)
		default:
			said[key] = true
			if strings.HasPrefix(value, "{") && !strings.Contains(value, "where:") && !strings.Contains(value, "pattern:") {
				value = fmt.Sprintf(`{where: type == "%s", %s`, key, value[1:])
			}
			if _, group, ok := strings.Cut(value, "pattern: "); ok {
				group, _, _ = strings.Cut(group, ",")
				inside += " " + group
			}
			define = append(define, key+": "+value)
		}
	}
	for _, name := range names.FindAllString(inside, -1) {
		if !said[name] {
			said[name] = true
			define = append(define, fmt.Sprintf(`%s: type == "%s"`, name, name))
		}
	}
	return fmt.Sprintf("rule: r\nwhen:\n  pattern: %s\n  define:\n    %s\n  %s\n", r.cells[0], strings.Join(define, "\n    "), strings.Join(when, "\n  "))
}

// shown writes a match as the tables do.
func shown(m *cep.Match, timed bool) string {
	var ids []string
	type placed struct {
		id  string
		seq uint64
	}
	var all []placed
	for _, b := range m.Bind {
		for i, ev := range b.Events {
			all = append(all, placed{ev.ID, b.Positions[i].Seq})
		}
	}
	slices.SortStableFunc(all, func(a, b placed) int { return int(a.seq) - int(b.seq) })
	for _, p := range all {
		ids = append(ids, p.id)
	}
	s := strings.Join(ids, " ")
	if m.Timeout {
		s = "timeout " + s
	}
	if timed {
		s += " @" + m.At.Sub(base).String()
	}
	return s
}
