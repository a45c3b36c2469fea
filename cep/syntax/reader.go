package syntax

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/rhost/rhost/yamldoc"
)

// reader reads one document and collects what is wrong with it.
type reader struct {
	text  string   // of the document, from the line of its first key on
	line  int      // number of that line
	lines []string // of text, once somebody has asked for them
	errs  yamldoc.Errors

	timeout *yamldoc.Entry // `on_timeout` of a rule without `within`
}

// maxErrors is how many problems of one document are told.
const maxErrors = 50

// full reports whether no more problems are told.
func (r *reader) full() bool { return len(r.errs) >= maxErrors }

func (r *reader) fail(pos yamldoc.Pos, key, code, fix, format string, args ...any) {
	if !r.full() {
		r.errs = append(r.errs, yamldoc.Errorf(pos, clip(key), code, fix, format, args...))
	}
}

const laterFix = "leave it out until a release that knows it"

func (r *reader) later(pos yamldoc.Pos, key, what string) {
	r.fail(pos, key, CodeLater, laterFix, "%s is not supported yet", what)
}

// take takes over what yamldoc found wrong under a key.
func (r *reader) take(err error, key string) {
	for _, e := range flatten(err) {
		if r.full() {
			return
		}
		e.Key = key
		r.errs = append(r.errs, e)
	}
}

func flatten(err error) yamldoc.Errors {
	switch err := err.(type) { //nolint:errorlint // yamldoc returns them bare
	case yamldoc.Errors:
		return err
	case *yamldoc.Error:
		return yamldoc.Errors{err}
	}
	return yamldoc.Errors{yamldoc.Errorf(yamldoc.Pos{}, "", CodeType, "", "%v", err)}
}

// keys reports the keys of a map that do not exist, and those that come later.
func (r *reader) keys(n *yamldoc.Node, under string, k keys) {
	for _, e := range n.Keys {
		switch {
		case slices.Contains(k.known, e.Key):
		case r.full():
			return
		case slices.Contains(k.later, e.Key):
			r.later(e.Pos, join(under, e.Key), e.Key)
		default:
			r.fail(e.Pos, join(under, e.Key), CodeKey, yamldoc.Suggest(e.Key, k.known), "unknown key")
		}
	}
}

func join(under, key string) string {
	if under == "" {
		return key
	}
	return under + "." + key
}

// scalar gives a node's text as written.
func (r *reader) scalar(n *yamldoc.Node, key string) string {
	switch n.Kind {
	case yamldoc.String, yamldoc.Number, yamldoc.Bool:
		if n.Text == "" {
			r.fail(n.Pos, key, CodeValue, "write a text or leave the key out", "is empty")
		}
		return r.own(n.Text, r.textPos(n))
	default:
		r.fail(n.Pos, key, CodeType, "write a text", "must be a text, not %s", n.Kind)
		return ""
	}
}

// choice gives the index of the value under a key in options, of which the
// first is the default.
func (r *reader) choice(n *yamldoc.Node, under, key string, options []string, later ...string) int {
	v := n.Get(key)
	if v == nil {
		return 0
	}
	key = join(under, key)
	text := r.scalar(v, key)
	i := slices.Index(options, text)
	switch {
	case text == "" || i >= 0:
	case slices.Contains(later, text):
		r.later(v.Pos, key, text)
	default:
		r.fail(v.Pos, key, CodeValue, suggest(text, options), "%q is not one of its values", clip(text))
	}
	return max(i, 0)
}

// suggest is the fix for a word that should have been one of options.
func suggest(text string, options []string) string {
	if guess := yamldoc.Suggest(text, options); strings.HasPrefix(guess, "did you mean") {
		return guess
	}
	return "write " + strings.Join(options, " or ")
}

// number reads a finite number.
func (r *reader) number(n *yamldoc.Node, key string) float64 {
	f := n.Float()
	if n.Kind != yamldoc.Number || math.IsInf(f, 0) || math.IsNaN(f) {
		r.fail(n.Pos, key, CodeType, "write a number", "must be a number, not %s", spelled(n))
		return 0
	}
	return f
}

// spelled gives a value as a message quotes it.
func spelled(n *yamldoc.Node) string {
	if n.Kind == yamldoc.List || n.Kind == yamldoc.Map || n.Kind == yamldoc.Null {
		return n.Kind.String()
	}
	return strconv.Quote(clip(n.Text))
}

// maxCount bounds every number of a rule.
const maxCount = 1_000_000_000

// count reads a whole number of at least least.
func (r *reader) count(n *yamldoc.Node, key string, least int) int {
	i, err := strconv.Atoi(n.Text)
	if f := n.Float(); err != nil && n.Kind == yamldoc.Number && f == float64(int32(f)) {
		i, err = int(f), nil // 1_000 and 1e3
	}
	if n.Kind != yamldoc.Number || err != nil || i < least || i > maxCount {
		r.fail(n.Pos, key, CodeValue, fmt.Sprintf("write a whole number from %d to %d", least, maxCount), "%s is none", spelled(n))
		return least
	}
	return i
}

// condition gives a CEL text and where its first character stands.
func (r *reader) condition(n *yamldoc.Node, key string) (string, yamldoc.Pos) {
	const fix = `write a condition, such as type == "order.created"`
	text, pos := r.expression(n, key, fix)
	if n.Kind == yamldoc.Number {
		r.fail(pos, key, CodeType, fix, "%q is no condition", clip(text))
	}
	return text, pos
}

// expression gives a text exactly as its author wrote it, without blanks at the
// end, and where its first character stands.
func (r *reader) expression(n *yamldoc.Node, key, fix string) (string, yamldoc.Pos) {
	text, err := n.PlainText()
	if err != nil {
		r.take(err, key)
		return "", n.Pos
	}
	pos := r.textPos(n)
	if strings.TrimSpace(text) == "" {
		r.fail(pos, key, CodeType, fix, "%q says nothing", clip(text))
	}
	if n.Style == yamldoc.Plain && r.cut(text, pos) {
		r.fail(pos, key, yamldoc.CodeQuote, "put all of it in quotes", "YAML ends the text %q at the comma behind it", clip(text))
	}
	return r.own(strings.TrimRight(text, " \n"), pos), pos
}

// cut reports whether a text ends at a comma inside round brackets, as YAML in
// braces does with {a: size(data.x, 5)}.
func (r *reader) cut(text string, pos yamldoc.Pos) bool {
	if strings.Count(text, "(") <= strings.Count(text, ")") {
		return false
	}
	lines := r.split()
	line, end := pos.Line-r.line, pos.Col-1+len(text)
	return line >= 0 && line < len(lines) && end <= len(lines[line]) && strings.HasPrefix(strings.TrimLeft(lines[line][end:], " "), ",")
}

// textPos gives the place of a scalar's first character: behind the quote, or
// in the line below the `|`.
func (r *reader) textPos(n *yamldoc.Node) yamldoc.Pos {
	pos := n.Pos
	switch n.Style {
	case yamldoc.Quoted:
		pos.Col++
	case yamldoc.Literal:
		lines := r.split()
		// The indentation is what a line has in the file and not in the text.
		for i, line := range strings.Split(n.Text, "\n") {
			at := pos.Line - r.line + 1 + i
			if strings.TrimSpace(line) == "" || at >= len(lines) {
				continue
			}
			pos.Col = 1 + max(indent(lines[at])-indent(line), 0)
			break
		}
		pos.Line++
	default:
	}
	return pos
}

func (r *reader) split() []string {
	if r.lines == nil {
		r.lines = strings.Split(r.text, "\n")
	}
	return r.lines
}

// own gives a text of the document as a part of the document, so that keeping it
// keeps nothing else. Texts that are not in the document as they are become copies.
func (r *reader) own(text string, pos yamldoc.Pos) string {
	lines := r.split()
	line, col := pos.Line-r.line, pos.Col-1
	if line < 0 || line >= len(lines) || col < 0 || col > len(lines[line]) || !strings.HasPrefix(lines[line][col:], text) {
		return strings.Clone(text)
	}
	return lines[line][col : col+len(text)]
}

func indent(s string) int { return len(s) - len(strings.TrimLeft(s, " ")) }
