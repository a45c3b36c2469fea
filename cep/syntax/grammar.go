package syntax

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rhost/rhost/yamldoc"
)

// The grammar of patterns:
//
//	seq  = alt { ( "next" ["not"] | "then" ["any" | "not"] ) alt }
//	alt  = both { "|" both }
//	both = unit { "&" unit }
//	unit = ( NAME | "(" seq ")" ) [ "?" | "*" | "+" | "{n}" | "{n,}" | "{n,m}" ]
//
// All of it is parsed, so that a mistake is reported as one; `any`, `|`, `&` and
// groups are then refused until they are supported.

// MaxPattern bounds the text of a pattern, in bytes.
const MaxPattern = 16 << 10

// maxGroups bounds brackets inside brackets.
const maxGroups = 64

// parser reads one pattern by recursive descent.
type parser struct {
	*reader
	pos   yamldoc.Pos // of the pattern's first character
	text  string
	at    int // offset of the token
	end   int // offset behind the token
	tok   string
	depth int // of groups around
	seen  map[string]bool
	units []Unit
	bad   bool
}

// parsePattern gives the units of a pattern; ok is false when there was
// anything wrong with it.
func (r *reader) parsePattern(text string, pos yamldoc.Pos) (units []Unit, ok bool) {
	p := &parser{reader: r, pos: pos, text: text, seen: make(map[string]bool)}
	if text == "" {
		p.fail(0, CodePattern, "write elements joined by then, such as a then b", "the pattern is empty")
		return nil, false
	}
	if len(text) > MaxPattern {
		p.fail(0, CodeStates, "shorten it", "the pattern is %d bytes long; the limit is %d", len(text), MaxPattern)
		return nil, false
	}
	p.advance()
	p.seq()
	if p.tok != "" {
		p.unexpected("then or next before it")
	}
	return p.units, !p.bad
}

// fail reports a problem at an offset. The first mistake in grammar ends the
// parse, because what follows it cannot be trusted.
func (p *parser) fail(at int, code, fix, format string, args ...any) {
	p.bad = true
	p.reader.fail(p.place(at), "when.pattern", code, fix, format, args...)
}

// place turns an offset into a position in the file.
func (p *parser) place(at int) yamldoc.Pos {
	pos := p.pos
	before := p.text[:at]
	if i := strings.LastIndexByte(before, '\n'); i >= 0 {
		// Lines of a block are indented alike.
		pos.Line += strings.Count(before, "\n")
		before = before[i+1:]
	}
	pos.Col += utf8.RuneCountInString(before)
	return pos
}

// advance moves to the next token; "" is the end.
func (p *parser) advance() {
	p.at = p.end
	for p.at < len(p.text) && strings.IndexByte(" \t\n\r", p.text[p.at]) >= 0 {
		p.at++
	}
	p.end = p.at
	switch {
	case p.at == len(p.text):
		p.tok = ""
		return
	case p.text[p.at] == '{':
		p.end = len(p.text)
		if i := strings.IndexByte(p.text[p.at:], '}'); i >= 0 {
			p.end = p.at + i + 1
		}
	case isWord(p.text[p.at]):
		for p.end < len(p.text) && isWord(p.text[p.end]) {
			p.end++
		}
	default:
		_, n := utf8.DecodeRuneInString(p.text[p.at:])
		p.end += n
	}
	p.tok = p.text[p.at:p.end]
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func (p *parser) unexpected(wanted string) {
	if p.stopped() {
		return
	}
	if p.tok == "" {
		p.fail(p.at, CodePattern, "complete it", "the pattern ends where %s was expected", wanted)
		return
	}
	p.fail(p.at, CodePattern, "patterns look like a{2,} then b next c then not d", "found %s where %s was expected", p.tok, wanted)
}

func (p *parser) later(at int, what string) {
	p.bad = true
	p.reader.later(p.place(at), "when.pattern", what)
}

// stopped reports whether a mistake in grammar ended the parse; refusals of what
// comes later do not.
func (p *parser) stopped() bool {
	n := len(p.errs)
	return p.bad && n > 0 && p.errs[n-1].Code != CodeLater && p.errs[n-1].Code != CodeName
}

func (p *parser) seq() {
	p.alt(Begin)
	for !p.stopped() && (p.tok == "then" || p.tok == "next") {
		link := Then
		if p.tok == "next" {
			link = Next
		}
		p.advance()
		switch {
		case p.tok == "not":
			p.negative(link)
			continue
		case p.tok == "any" && link == Next:
			p.fail(p.at, CodePattern, "write then any, or next", "`next any` does not exist: next is the very next event")
		case p.tok == "any":
			p.later(p.at, "`then any`")
			p.advance()
		}
		p.alt(link)
	}
}

// negative reads what follows `then not` and `next not`.
func (p *parser) negative(link Link) {
	at := p.at
	p.advance()
	if p.tok == "(" {
		p.fail(at, CodeNot, "name one element after not", "`not` takes one element, not a group")
		return
	}
	not := ThenNot
	if link == Next {
		not = NextNot
	}
	name := p.tok
	quantifier := p.at
	if !p.unit(not) {
		return
	}
	if u := &p.units[len(p.units)-1]; u.Min != 1 || u.Max != 1 || u.Optional {
		p.fail(quantifier, CodeNot, "write not "+name, "`not` takes an element without a quantifier")
	}
	if p.tok == "|" || p.tok == "&" {
		p.fail(p.at, CodeNot, "name one element after not", "`not` takes one element, not several joined by %s", p.tok)
	}
}

// alt and both read alternatives and conjunctions, which are refused.
func (p *parser) alt(link Link) {
	p.both(link)
	for !p.stopped() && p.tok == "|" {
		p.later(p.at, "`|`")
		p.advance()
		p.both(link)
	}
}

func (p *parser) both(link Link) {
	p.unit(link)
	for !p.stopped() && p.tok == "&" {
		p.later(p.at, "`&`")
		p.advance()
		p.unit(link)
	}
}

// unit reads an element or a group with its quantifier; it reports whether that
// went well.
func (p *parser) unit(link Link) bool {
	if p.stopped() {
		return false
	}
	u := Unit{Name: p.tok, Link: link, Min: 1, Max: 1, Repeat: Then, Pos: p.place(p.at)}
	switch {
	case p.tok == "(":
		return p.group() && p.quantifier(&u)
	case p.tok == "not" && link == Begin:
		p.fail(p.at, CodeNot, "begin with something that happens", "a pattern cannot begin with not")
		return false
	case p.tok == "" || !isWord(p.tok[0]) || isKeyword(p.tok):
		p.unexpected("the name of an element")
		return false
	}
	if msg, fix := badElement(p.tok); msg != "" {
		p.fail(p.at, CodeName, fix, "%s", msg)
	} else if p.seen[p.tok] {
		p.fail(p.at, CodeDuplicate, "define a second element with the same condition", "the element %s stands in the pattern twice", p.tok)
		return false
	}
	p.seen[p.tok] = true
	p.advance()
	if !p.quantifier(&u) {
		return false
	}
	p.units = append(p.units, u)
	return true
}

func isKeyword(s string) bool { return s == "then" || s == "next" || s == "any" || s == "not" }

func (p *parser) group() bool {
	p.later(p.at, "a group in brackets")
	if p.depth++; p.depth > maxGroups {
		p.fail(p.at, CodePattern, "write it with fewer brackets", "more than %d brackets inside brackets", maxGroups)
		return false
	}
	p.advance()
	p.seq()
	p.depth--
	if p.stopped() {
		return false
	}
	if p.tok != ")" {
		p.unexpected("the closing bracket")
		return false
	}
	p.advance()
	return true
}

// quantifier reads what may stand behind an element.
func (p *parser) quantifier(u *Unit) bool {
	switch {
	case p.tok == "?":
		u.Optional = true
	case p.tok == "*":
		u.Optional, u.Max = true, Unbounded
	case p.tok == "+":
		u.Max = Unbounded
	case strings.HasPrefix(p.tok, "{"):
		if msg, fix := u.times(p.tok); msg != "" {
			p.fail(p.at, CodePattern, fix, "%s", msg)
			return false
		}
	default:
		return true
	}
	p.advance()
	if p.tok == "?" || p.tok == "*" || p.tok == "+" || strings.HasPrefix(p.tok, "{") {
		p.fail(p.at, CodePattern, "keep one of them", "%s follows another quantifier", p.tok)
		return false
	}
	return true
}

// times reads {n}, {n,} and {n,m}.
func (u *Unit) times(tok string) (msg, fix string) {
	fix = "write {2}, {2,} or {2,5}"
	in, closed := strings.CutSuffix(tok[1:], "}")
	if !closed {
		return "{ is not closed", fix
	}
	low, high, both := strings.Cut(in, ",")
	low, high = strings.TrimSpace(low), strings.TrimSpace(high)
	n, ok := repetitions(low)
	m := n
	switch {
	case both && high == "":
		m = Unbounded
	case both:
		var ok2 bool
		m, ok2 = repetitions(high)
		ok = ok && ok2
	}
	switch {
	case !ok:
		return fmt.Sprintf("%s is no number of repetitions", tok), fix + ", with numbers up to " + strconv.Itoa(MaxStates)
	case m == 0:
		return fmt.Sprintf("%s would never be there", tok), "remove the element, or use then not"
	case m != Unbounded && m < n:
		return fmt.Sprintf("%s asks for at least %d and at most %d", tok, n, m), fmt.Sprintf("write {%d,%d}", m, n)
	}
	u.Min, u.Max = max(n, 1), m
	u.Optional = n == 0
	return "", ""
}

func repetitions(s string) (int, bool) {
	if s == "" || len(s) > 6 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n <= MaxStates
}
