package yamldoc

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Pos is a place in a file. Lines and columns count from 1, columns in
// characters. The zero Pos is nowhere.
type Pos struct {
	File string
	Line int
	Col  int
}

// String gives file:line:col, without the parts that are not known.
func (p Pos) String() string {
	s := p.File
	if p.Line > 0 {
		s += fmt.Sprintf(":%d", p.Line)
		if p.Col > 0 {
			s += fmt.Sprintf(":%d", p.Col)
		}
	}
	return strings.TrimPrefix(s, ":")
}

// Error is one problem of a document.
type Error struct {
	Pos  Pos
	Code string // stable name of the sort of problem, such as "yaml-key"
	Key  string // the key it concerns, with the keys above it: "sources.sshd.files"; may be empty
	Msg  string
	Fix  string // what to do about it; may be empty
}

// Error gives `file:line:col: key: message; fix`.
func (e *Error) Error() string {
	var b strings.Builder
	if pos := e.Pos.String(); pos != "" {
		b.WriteString(pos + ": ")
	}
	if e.Key != "" {
		b.WriteString(e.Key + ": ")
	}
	b.WriteString(e.Msg)
	if e.Fix != "" {
		b.WriteString("; " + e.Fix)
	}
	return b.String()
}

// Errorf makes an Error with a formatted message.
func Errorf(pos Pos, key, code, fix, format string, args ...any) *Error {
	return &Error{Pos: pos, Code: code, Key: key, Msg: fmt.Sprintf(format, args...), Fix: fix}
}

// Errors is every problem found, each on a line of its own.
type Errors []*Error

// Error joins the problems with line breaks.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the problems to errors.As and errors.Is.
func (es Errors) Unwrap() []error {
	errs := make([]error, len(es))
	for i, e := range es {
		errs[i] = e
	}
	return errs
}

// Err sorts the problems by position and gives them as an error, which is nil
// when there are none.
func (es Errors) Err() error {
	if len(es) == 0 {
		return nil
	}
	slices.SortStableFunc(es, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Col, b.Pos.Col))
	})
	return es
}

// The codes of this package's own errors.
const (
	CodeSyntax    = "yaml-syntax"    // not YAML
	CodeQuote     = "yaml-quote"     // YAML would damage the text; it needs quotes
	CodeRefused   = "yaml-refused"   // YAML that is not taken here: tags, anchors, aliases, merge keys
	CodeLimit     = "yaml-limit"     // too large or too deep
	CodeEncoding  = "yaml-encoding"  // not UTF-8, or control characters
	CodeDuplicate = "yaml-duplicate" // the same key twice
	CodeKey       = "yaml-key"       // a key that nobody knows
	CodeType      = "yaml-type"      // a value of the wrong type
)
