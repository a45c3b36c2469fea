package predicate

import (
	"strings"
	"unicode/utf8"

	"github.com/rhost/rhost/yamldoc"
)

// operandEnds reports whether an operand of a chain is at its end here.
func (d *direct) operandEnds() bool {
	d.space()
	switch c := d.at(d.i); c {
	case 0, ')':
		return c == ')' || d.i == len(d.src)
	case '&', '|':
		return d.at(d.i+1) == c
	}
	return false
}

// operand lets cel-go read one operand of a chain. && and || bind less than
// everything but the choice c ? x : y, so the operand goes on to the next of them
// outside of brackets and quotes, and there must be no choice on the way.
func (d *direct) operand() (truth, bool) {
	start := d.i
	end := d.operandEnd()
	text := strings.TrimRight(d.src[start:max(start, end)], " \t\n\r\f")
	if text == "" || start == d.first && start+len(text) == d.last {
		return nil, false // all of it: cel-go may as well have it as it is
	}
	if d.tests > maxTests || d.given == 0 && tooDeep(d.src) >= 0 {
		return nil, false
	}
	if d.given += len(text); d.given > MaxSource {
		return nil, false
	}
	t, elements, err := d.set.compile(d.scope, text, d.pos)
	if err != nil {
		if len(d.src) > MaxSource { // else the whole condition is asked
			_, _, d.err = d.set.compile(d.scope, text, d.place(start))
		}
		return nil, false
	}
	d.correlated = d.correlated || elements
	d.i = end
	return t, true
}

// operandEnd gives the index behind the operand that begins here, -1 where that
// is not certain.
func (d *direct) operandEnd() int {
	s := scanner{src: d.src, i: d.i}
	for depth := 0; s.i < len(s.src); s.i++ {
		switch c := s.src[s.i]; c {
		case '"', '\'':
			if s.i > 0 && isIdent(s.src[s.i-1]) {
				return -1 // r"…" and its like have rules of their own
			}
			if _, ok := s.quoted(); !ok {
				return -1
			}
			s.i--
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			if depth--; depth < 0 {
				return s.i
			}
		case '&', '|':
			if depth == 0 && s.at(s.i+1) == c {
				return s.i
			}
		case '?', ':':
			if depth == 0 {
				return -1
			}
		case '/':
			if s.at(s.i+1) == '/' {
				return -1
			}
		}
	}
	return len(s.src)
}

// place gives the position of an index of the source.
func (d *direct) place(i int) yamldoc.Pos {
	line := strings.LastIndexByte(d.src[:i], '\n')
	s := source{pos: d.pos}
	return s.at(1+strings.Count(d.src[:i], "\n"), utf8.RuneCountInString(d.src[line+1:i]))
}
