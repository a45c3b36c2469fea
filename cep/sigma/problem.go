package sigma

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rhost/rhost/yamldoc"
)

// Problem is something that could not be converted. The rule it concerns gives
// no document.
type Problem struct {
	File string
	Line int    // from 1; 0 when unknown
	Col  int    // from 1, in characters
	Rule string // title of the rule, or ""
	What string // the key or text concerned
	Why  string
	Fix  string // what to do about it; may be empty
}

// String gives `file:line:col: rule: what: why; fix`, without what is unknown.
func (p Problem) String() string {
	var s strings.Builder
	s.WriteString(yamldoc.Pos{File: p.File, Line: p.Line, Col: p.Col}.String())
	for _, part := range []string{p.Rule, p.What, p.Why} {
		if part != "" {
			s.WriteString(": " + part)
		}
	}
	if p.Fix != "" {
		s.WriteString("; " + p.Fix)
	}
	return s.String()
}

// trouble is a Problem on its way up, before the rule's title is known.
type trouble struct {
	pos            yamldoc.Pos
	what, why, fix string
}

func (t *trouble) Error() string { return t.why }

func troublef(n *yamldoc.Node, what, fix, format string, args ...any) error {
	t := &trouble{what: what, why: fmt.Sprintf(format, args...), fix: fix}
	if n != nil {
		t.pos = n.Pos
	}
	return t
}

// problem puts an error that concerns a document into the caller's terms.
func problem(d *document, err error) Problem {
	p := Problem{File: d.file, Line: d.pos.Line, Col: d.pos.Col, Rule: d.title, Why: err.Error()}
	if t, ok := errors.AsType[*trouble](err); ok {
		p.What, p.Fix = t.what, t.fix
		if t.pos.Line > 0 {
			p.File, p.Line, p.Col = t.pos.File, t.pos.Line, t.pos.Col
		}
	}
	return p
}

// yamlProblems makes problems of what is wrong with a file's YAML.
func yamlProblems(file string, err error) []Problem {
	errs, ok := errors.AsType[yamldoc.Errors](err)
	if !ok {
		return []Problem{{File: file, Why: err.Error()}}
	}
	var out []Problem
	for _, e := range errs {
		out = append(out, Problem{File: file, Line: e.Pos.Line, Col: e.Pos.Col, What: e.Key, Why: e.Msg, Fix: e.Fix})
	}
	return out
}

func sortProblems(list []Problem) {
	slices.SortStableFunc(list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
}
