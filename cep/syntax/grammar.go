package syntax

import (
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
// A NAME that `define` gives a pattern stands for that pattern in brackets.
// Brackets that change nothing leave no trace in the tree.

const (
	// MaxPattern bounds the text of a pattern, in bytes.
	MaxPattern = 16 << 10

	// MaxNesting bounds brackets inside brackets, named groups counted.
	MaxNesting = 32
)

// builder puts a rule's pattern together, from the text under `pattern` and those
// of named groups.
type builder struct {
	*reader
	defs  *definitions
	elems []Element
	depth int  // of brackets around
	bad   bool // a mistake in grammar ended the parse: what follows cannot be trusted
}

// parser reads one text by recursive descent.
type parser struct {
	*builder
	key  string      // that holds the text
	pos  yamldoc.Pos // of the first character
	text string
	at   int // offset of the token
	end  int // offset behind the token
	tok  string

	markAt int // an offset, and the position it has
	mark   yamldoc.Pos
}

// parse gives the terms of a text; nil after a mistake.
func (b *builder) parse(key, text string, pos yamldoc.Pos) []Term {
	p := &parser{builder: b, key: key, pos: pos, text: text, mark: pos}
	if text == "" {
		p.fail(0, CodePattern, "write elements joined by then, such as a then b", "the pattern is empty")
		return nil
	}
	if len(text) > MaxPattern {
		p.fail(0, CodeStates, "shorten it", "the pattern is %d bytes long; the limit is %d", len(text), MaxPattern)
		return nil
	}
	p.advance()
	terms := p.seq()
	if p.tok != "" {
		p.unexpected("then or next before it")
	}
	if p.bad {
		return nil
	}
	return terms
}

// fail reports a mistake in grammar, which ends the parse. Only the first one
// is told: the others may follow from it.
func (p *parser) fail(at int, code, fix, format string, args ...any) {
	if !p.bad {
		p.bad = true
		p.reader.fail(p.place(at), p.key, code, fix, format, args...)
	}
}

// place turns an offset into a position in the file. It counts on from the last
// one, so that a long pattern is counted once.
func (p *parser) place(at int) yamldoc.Pos {
	if at < p.markAt {
		p.markAt, p.mark = 0, p.pos
	}
	between := p.text[p.markAt:at]
	if i := strings.LastIndexByte(between, '\n'); i >= 0 {
		p.mark.Line += strings.Count(between, "\n")
		p.mark.Col = p.pos.Col // lines of a block are indented alike
		between = between[i+1:]
	}
	p.mark.Col += utf8.RuneCountInString(between)
	p.markAt = at
	return p.mark
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
	if p.tok == "" {
		p.fail(p.at, CodePattern, "complete it", "the pattern ends where %s was expected", wanted)
		return
	}
	p.fail(p.at, CodePattern, "patterns look like a{2,} then (b | c) next d then not e", "found %s where %s was expected", p.tok, wanted)
}

// deeper enters brackets or a named group; the caller leaves them with depth--.
func (p *parser) deeper(at int) bool {
	if p.depth++; p.depth > MaxNesting {
		p.fail(at, CodeNesting, "write it with fewer brackets", "more than %d brackets inside brackets", MaxNesting)
	}
	return !p.bad
}

func (p *parser) seq() []Term {
	if p.tok == "not" {
		p.fail(p.at, CodeNot, "begin with something that happens", "a pattern cannot begin with not")
	}
	seq := p.alt()
	for !p.bad && (p.tok == "then" || p.tok == "next") {
		link := Then
		if p.tok == "next" {
			link = Next
		}
		p.advance()
		switch {
		case p.tok == "not":
			seq = append(seq, p.negative(link))
			continue
		case p.tok == "any" && link == Next:
			p.fail(p.at, CodePattern, "write then any, or next", "`next any` does not exist: next is the very next event")
		case p.tok == "any":
			link = Any
			p.advance()
		}
		if terms := p.alt(); len(terms) > 0 {
			terms[0].Link = link
			seq = append(seq, terms...)
		}
	}
	return seq
}

// negative reads what follows `then not` and `next not`.
func (p *parser) negative(link Link) Term {
	at := p.at
	p.advance()
	if p.tok == "(" {
		p.fail(at, CodeNot, "name one element after not", "`not` takes one element, not a group")
		return Term{}
	}
	if d := p.defs.find(p.tok); d != nil && d.grouped {
		p.fail(p.at, CodeNot, "name one element after not", "`not` takes one element, and %s is a group", p.tok)
		return Term{}
	}
	name := p.tok
	t := p.named()
	switch {
	case p.bad:
		return Term{}
	case p.quantified():
		p.fail(p.at, CodeNot, "write not "+name, "`not` takes an element without a quantifier")
	case p.tok == "|" || p.tok == "&":
		p.fail(p.at, CodeNot, "name one element after not", "`not` takes one element, not several joined by %s", p.tok)
	}
	t.Link = ThenNot
	if link == Next {
		t.Link = NextNot
	}
	p.elems[t.Elem].Negative = true
	return t
}

// alt gives the terms of alternatives: one of them, or what stands there when
// there is only one.
func (p *parser) alt() []Term {
	pos := p.place(p.at)
	parts := p.operands("|", p.both)
	if len(parts) == 1 {
		return parts[0]
	}
	return []Term{{Elem: -1, Either: parts, Min: 1, Max: 1, Repeat: Then, Pos: pos}}
}

func (p *parser) both() []Term {
	pos := p.place(p.at)
	parts := p.operands("&", p.unit)
	if len(parts) == 1 {
		return parts[0]
	}
	if len(parts) > MaxBoth && !p.bad {
		p.bad = true
		p.reader.fail(pos, p.key, CodeStates, "join at most "+strconv.Itoa(MaxBoth),
			"%d elements are joined by &, and the orders they can come in multiply", len(parts))
	}
	return []Term{{Elem: -1, Both: parts, Min: 1, Max: 1, Repeat: Then, Pos: pos}}
}

// operands reads what stands between marks. After a mistake it gives one part.
func (p *parser) operands(mark string, operand func() []Term) [][]Term {
	parts := [][]Term{operand()}
	for !p.bad && p.tok == mark {
		p.advance()
		parts = append(parts, operand())
	}
	if p.bad {
		return parts[:1]
	}
	return parts
}

// unit reads an element or a group with its quantifier.
func (p *parser) unit() []Term {
	if p.bad {
		return nil
	}
	if p.tok == "(" {
		return p.brackets()
	}
	t := p.named()
	if p.bad {
		return nil
	}
	p.quantifier(&t)
	return []Term{t}
}

// named reads the name of an element or a group.
func (p *parser) named() Term {
	at, name := p.at, p.tok
	if name == "" || !isWord(name[0]) || isKeyword(name) {
		p.unexpected("the name of an element")
		return Term{}
	}
	d := p.define(at, name)
	switch {
	case d.open:
		p.fail(at, CodeNesting, "spell out how often it repeats, such as a{2,}", "the group %s is part of itself", name)
		return Term{}
	case d.used:
		p.fail(at, CodeDuplicate, "define a second element with the same condition", "%s stands in the pattern twice", name)
		return Term{}
	}
	d.used = true
	p.advance()
	t := d.term
	t.Pos = p.place(at)
	if d.grouped {
		p.expand(&t, d, at)
		return t
	}
	t.Elem = len(p.elems)
	p.elems = append(p.elems, Element{Name: name, Cond: d.cond, CondPos: d.condPos, Pos: t.Pos})
	return t
}

// define finds what a name stands for. It makes up a definition for one that has
// none, to be reported if the rest of the pattern can be read.
func (p *parser) define(at int, name string) *definition {
	if d := p.defs.find(name); d != nil {
		return d
	}
	d := p.defs.add(&definition{name: name, pos: p.place(at), key: p.key, term: once()})
	p.defs.absent = append(p.defs.absent, d)
	return d
}

// once is a term that stands there without any more being said of it.
func once() Term { return Term{Elem: -1, Min: 1, Max: 1, Repeat: Then} }

// expand puts the pattern that a name stands for into t.
func (p *parser) expand(t *Term, d *definition, at int) {
	if d.pattern == "" {
		p.bad = true // which was reported where it stands
	}
	if !p.deeper(at) {
		return
	}
	d.open = true
	terms := p.parse(join(join("when.define", d.name), "pattern"), d.pattern, d.patternPos)
	d.open = false
	p.depth--
	if p.bad || len(terms) == 0 {
		p.bad = true
		return
	}
	p.inside(terms)
	t.Elem, t.Name = -1, d.name
	if inner := &terms[0]; len(terms) == 1 && inner.Elem < 0 && inner.once() && inner.Name == "" {
		t.Group, t.Either, t.Both = inner.Group, inner.Either, inner.Both
		return
	}
	t.Group = terms
}

// brackets reads a group. One that is not repeated is its terms, and one around
// a single term passes its quantifier on.
func (p *parser) brackets() []Term {
	pos := p.place(p.at)
	if !p.deeper(p.at) {
		return nil
	}
	p.advance()
	terms := p.seq()
	p.depth--
	if p.bad {
		return nil
	}
	if p.tok != ")" {
		p.unexpected("the closing bracket")
		return nil
	}
	p.advance()
	t := once()
	t.Pos = pos
	p.inside(terms)
	p.quantifier(&t)
	switch {
	case t.once():
		return terms
	case len(terms) == 1 && terms[0].once():
		terms[0].Min, terms[0].Max, terms[0].Optional = t.Min, t.Max, t.Optional
		return terms
	}
	t.Group = terms
	return []Term{t}
}

// inside checks what a group may hold.
func (p *parser) inside(terms []Term) {
	if last := terms[len(terms)-1]; last.Link.Negative() && !p.bad {
		p.bad = true
		p.reader.fail(last.Pos, p.key, CodeNot, "let another element follow it in the group, or take it out", "a group cannot end with not")
	}
}

func isKeyword(s string) bool { return s == "then" || s == "next" || s == "any" || s == "not" }
