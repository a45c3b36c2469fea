package window

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// Let is an aggregate as a rule writes it.
type Let struct {
	Name string      // what `having` and actions call it
	Text string      // one call, such as quantile(data.ms, 0.99)
	Pos  yamldoc.Pos // of the first character of Text
}

const (
	// MaxLets bounds the aggregates of a window.
	MaxLets = 64

	maxText = 2 * event.MaxPath
	maxName = 64
)

// call is a Let taken apart.
type call struct {
	fn    *function
	paths []event.Path
	num   float64 // the quantile, or how many topk gives
}

// parser reads one Let. It stops at the first problem; a second one would only
// be a consequence.
type parser struct {
	let *Let
	i   int // bytes read
}

// parse takes a Let apart.
func parse(let *Let) (call, *yamldoc.Error) {
	p := parser{let: let}
	if len(let.Text) > maxText {
		return call{}, p.fail(0, CodeSyntax, "write one call, such as count()", "%d characters: the limit is %d", len(let.Text), maxText)
	}
	p.space()
	start := p.i
	name := p.ident()
	fn := functionOf(name)
	switch {
	case name == "":
		return call{}, p.fail(start, CodeSyntax, "write one call, such as count()", "%s is no call of a function", quoted(let.Text))
	case p.peek() != '(' && fn != nil:
		return call{}, p.fail(p.i, CodeSyntax, "write "+fn.example, "%s has no brackets behind it", name)
	case p.peek() != '(':
		return call{}, p.fail(start, CodeSyntax, "write one call, such as last("+strings.TrimSpace(shorten(let.Text))+")", "%s is no call of a function", quoted(let.Text))
	case fn == nil:
		return call{}, p.fail(start, CodeFunction, yamldoc.Suggest(name, functionNames()), "there is no aggregate %s", quoted(name))
	}
	args, err := p.args()
	if err != nil {
		return call{}, err
	}
	p.space()
	if p.i < len(let.Text) {
		return call{}, p.fail(p.i, CodeSyntax, "let each name be one call, and do arithmetic and comparisons in having", "%s follows the call", quoted(let.Text[p.i:]))
	}
	return p.bind(fn, args, start)
}

// arg is an argument and where it stands.
type arg struct {
	text string
	at   int
}

// args reads what stands in the brackets.
func (p *parser) args() ([]arg, *yamldoc.Error) {
	open := p.i
	p.i++
	var args []arg
	for {
		p.space()
		a := arg{at: p.i}
		if err := p.skipArg(open); err != nil {
			return nil, err
		}
		a.text = strings.TrimSpace(p.let.Text[a.at:p.i])
		last := p.peek() == ')'
		p.i++
		switch {
		case a.text != "":
			args = append(args, a)
		case !last || len(args) > 0:
			return nil, p.fail(a.at, CodeSyntax, "remove the comma, or write the argument", "an argument is missing")
		}
		if last {
			return args, nil
		}
	}
}

// skipArg goes to the comma or bracket that ends an argument. Both may also stand
// in the quotes of a path: data["a, b)"].
func (p *parser) skipArg(open int) *yamldoc.Error {
	text := p.let.Text
	var quote byte
	for ; p.i < len(text); p.i++ {
		c := text[p.i]
		switch {
		case quote != 0 && c == '\\':
			p.i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '(':
			return p.fail(p.i, CodeSyntax, "give each call a name of its own, and combine them in having", "an argument is a path or a number, not a call")
		case c == ',' || c == ')':
			return nil
		}
	}
	p.i = len(text)
	if quote != 0 {
		return p.fail(open, CodeSyntax, "close the quote", "the text ends within quotes")
	}
	return p.fail(open, CodeSyntax, "write ) at the end", "the bracket does not close")
}

// bind checks the arguments against what the function takes.
func (p *parser) bind(fn *function, args []arg, start int) (call, *yamldoc.Error) {
	c := call{fn: fn}
	want := fn.paths
	if fn.number != nil {
		want++
	}
	least := want
	if fn.optional {
		least--
	}
	if len(args) > want || len(args) < least {
		return c, p.fail(start, CodeArgument, "write "+fn.example, "%s takes %s, not %d", fn.name, fn.takes(), len(args))
	}
	for i, a := range args {
		if i >= fn.paths {
			f, err := strconv.ParseFloat(a.text, 64)
			if err != nil || math.IsNaN(f) {
				return c, p.fail(a.at, CodeArgument, "write "+fn.example, "%s is not a number", quoted(a.text))
			}
			if why := fn.number(f); why != "" {
				return c, p.fail(a.at, CodeArgument, "write "+fn.example, "%s: %s", a.text, why)
			}
			c.num = f
			continue
		}
		path, err := event.ParsePath(a.text)
		if err != nil {
			return c, p.fail(a.at, CodeArgument, "", "%v", err)
		}
		c.paths = append(c.paths, path)
	}
	return c, nil
}

func (p *parser) space() {
	for p.i < len(p.let.Text) && strings.IndexByte(" \t\r\n", p.let.Text[p.i]) >= 0 {
		p.i++
	}
}

// ident reads a name and the blanks behind it.
func (p *parser) ident() string {
	start := p.i
	for p.i < len(p.let.Text) && isWord(p.let.Text[p.i], p.i > start) {
		p.i++
	}
	name := p.let.Text[start:p.i]
	p.space()
	return name
}

// peek is the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.i < len(p.let.Text) {
		return p.let.Text[p.i]
	}
	return 0
}

func isWord(c byte, digits bool) bool {
	return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' || digits && c >= '0' && c <= '9'
}

// isName reports whether s can name a Let.
func isName(s string) bool {
	for i := range len(s) {
		if !isWord(s[i], i > 0) {
			return false
		}
	}
	return s != "" && len(s) <= maxName
}

// fail is a problem at a byte of the text.
func (p *parser) fail(at int, code, fix, format string, args ...any) *yamldoc.Error {
	pos := p.let.Pos
	before := p.let.Text[:at]
	if lines := strings.Count(before, "\n"); lines > 0 {
		pos.Line, pos.Col = pos.Line+lines, 1
		before = before[strings.LastIndexByte(before, '\n')+1:]
	}
	if pos.Line > 0 {
		pos.Col += utf8.RuneCountInString(before)
	}
	return yamldoc.Errorf(pos, "when.let."+shorten(p.let.Name), code, fix, "%s", fmt.Sprintf(format, args...))
}

func shorten(s string) string {
	if len(s) > maxName {
		return strings.ToValidUTF8(s[:maxName], "") + "…"
	}
	return s
}
