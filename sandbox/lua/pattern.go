package lua

import (
	"errors"
	"strings"
)

// The pattern matcher of Lua 5.1. gopher-lua's own cannot be interrupted and
// recurses for every character; this one is charged one unit a step, and the
// depth of its recursion is bounded.

const (
	maxCaptures   = 32
	maxMatchDepth = 200
	positionOnly  = -2 // length of a capture that is a position
	stillOpen     = -1 // length of a capture that has not ended
	noMatch       = -1
)

// errMatch is the error of a pattern that cannot be used. errSpent is returned
// when the meter refused to pay for a match; it never reaches the guest.
type errMatch string

func (e errMatch) Error() string { return string(e) }

var errSpent = errors.New("the match was stopped")

type capture struct{ start, length int }

type matcher struct {
	src, pat string
	spend    func(n int64) bool
	level    int // captures so far
	captures [maxCaptures]capture
	depth    int
	err      error
}

// match tries the pattern at p on the text at s and returns where the text
// matched ends, or noMatch. After an error m.err says which.
func (m *matcher) match(s, p int) int {
	if m.depth++; m.depth > maxMatchDepth {
		return m.fail(errMatch("pattern too complex"))
	}
	defer func() { m.depth-- }()
	for m.err == nil {
		if !m.spend(1) {
			return m.fail(errSpent)
		}
		if p == len(m.pat) {
			return s
		}
		switch m.pat[p] {
		case '(':
			if p+1 < len(m.pat) && m.pat[p+1] == ')' {
				return m.open(s, p+2, positionOnly)
			}
			return m.open(s, p+1, stillOpen)
		case ')':
			return m.close(s, p+1)
		case '$':
			if p+1 == len(m.pat) {
				if s == len(m.src) {
					return s
				}
				return noMatch
			}
		case '%':
			if p+1 < len(m.pat) {
				next, done := m.special(&s, &p)
				if done {
					return next
				}
				if next == again {
					continue
				}
			}
		}
		end := m.itemEnd(p)
		if m.err != nil {
			return noMatch
		}
		suffix := byte(0)
		if end < len(m.pat) {
			suffix = m.pat[end]
		}
		switch suffix {
		case '*':
			return m.most(s, p, end, 0)
		case '+':
			return m.most(s, p, end, 1)
		case '-':
			return m.least(s, p, end)
		case '?':
			if m.single(s, p, end) {
				if r := m.match(s+1, end+1); r != noMatch || m.err != nil {
					return r
				}
			}
			p = end + 1
		default:
			if !m.single(s, p, end) {
				return noMatch
			}
			s, p = s+1, end
		}
	}
	return noMatch
}

// again tells match to go on with the text and pattern that special left.
const again = -2

// special handles %b, %f and back references. done is false when the item is an
// ordinary class, or when matching goes on.
func (m *matcher) special(s, p *int) (result int, done bool) {
	switch c := m.pat[*p+1]; {
	case c == 'b':
		*s = m.balanced(*s, *p+2)
		*p += 4
	case c == 'f':
		*p += 2
		if *p >= len(m.pat) || m.pat[*p] != '[' {
			return m.fail(errMatch("missing '[' after '%f' in pattern")), true
		}
		end := m.itemEnd(*p)
		if m.err != nil {
			return noMatch, true
		}
		if m.inSet(m.byteAt(*s-1), *p, end-1) || !m.inSet(m.byteAt(*s), *p, end-1) {
			return noMatch, true
		}
		*p = end
	case c >= '0' && c <= '9':
		*s = m.back(*s, c)
		*p += 2
	default:
		return 0, false
	}
	if *s == noMatch {
		return noMatch, true
	}
	return again, false
}

func (m *matcher) fail(err error) int {
	if m.err == nil {
		m.err = err
	}
	return noMatch
}

// byteAt is the byte at i, or 0 outside the text.
func (m *matcher) byteAt(i int) byte {
	if i < 0 || i >= len(m.src) {
		return 0
	}
	return m.src[i]
}

// open begins a capture and goes on behind it.
func (m *matcher) open(s, p, length int) int {
	if m.level >= maxCaptures {
		return m.fail(errMatch("too many captures"))
	}
	m.captures[m.level] = capture{s, length}
	m.level++
	r := m.match(s, p)
	if r == noMatch {
		m.level--
	}
	return r
}

// close ends the latest open capture and goes on behind it.
func (m *matcher) close(s, p int) int {
	i := m.level - 1
	for i >= 0 && m.captures[i].length != stillOpen {
		i--
	}
	if i < 0 {
		return m.fail(errMatch("invalid pattern capture"))
	}
	m.captures[i].length = s - m.captures[i].start
	r := m.match(s, p)
	if r == noMatch {
		m.captures[i].length = stillOpen
	}
	return r
}

// back matches what capture digit matched.
func (m *matcher) back(s int, digit byte) int {
	i := int(digit) - '1'
	if i < 0 || i >= m.level || m.captures[i].length == stillOpen {
		return m.fail(errMatch("invalid capture index"))
	}
	c := m.captures[i]
	text := m.src[c.start : c.start+max(c.length, 0)]
	if !m.spend(int64(len(text)) / 8) {
		return m.fail(errSpent)
	}
	if !strings.HasPrefix(m.src[s:], text) {
		return noMatch
	}
	return s + len(text)
}

// balanced matches %bxy, whose two characters stand at p.
func (m *matcher) balanced(s, p int) int {
	if p+1 >= len(m.pat) {
		return m.fail(errMatch("unbalanced pattern"))
	}
	if s >= len(m.src) || m.src[s] != m.pat[p] {
		return noMatch
	}
	depth := 1
	for i := s + 1; i < len(m.src); i++ {
		if i%64 == 0 && !m.spend(8) {
			return m.fail(errSpent)
		}
		switch m.src[i] {
		case m.pat[p+1]:
			if depth--; depth == 0 {
				return i + 1
			}
		case m.pat[p]:
			depth++
		}
	}
	// The loop looks at a multiple of 64 only; the rest is charged here, so that
	// a pattern tried at every byte pays for every scan.
	if !m.spend(int64(len(m.src)-s) / 8) {
		return m.fail(errSpent)
	}
	return noMatch
}

// most matches as many items as there are, then gives back one after another.
func (m *matcher) most(s, p, end, atLeast int) int {
	n := 0
	for m.single(s+n, p, end) {
		if n++; !m.spend(1) {
			return m.fail(errSpent)
		}
	}
	for ; n >= atLeast; n-- {
		if r := m.match(s+n, end+1); r != noMatch || m.err != nil {
			return r
		}
	}
	return noMatch
}

// least matches as few items as will do.
func (m *matcher) least(s, p, end int) int {
	for {
		if r := m.match(s, end+1); r != noMatch || m.err != nil {
			return r
		}
		if !m.single(s, p, end) {
			return noMatch
		}
		s++
	}
}

// itemEnd returns the end of the single-character item at p.
func (m *matcher) itemEnd(p int) int {
	c := m.pat[p]
	p++
	switch c {
	case '%':
		if p >= len(m.pat) {
			return m.fail(errMatch("malformed pattern (ends with '%')"))
		}
		return p + 1
	case '[':
		if p < len(m.pat) && m.pat[p] == '^' {
			p++
		}
		for first := true; first || p >= len(m.pat) || m.pat[p] != ']'; first = false {
			if p >= len(m.pat) {
				return m.fail(errMatch("malformed pattern (missing ']')"))
			}
			if m.pat[p] == '%' {
				p++
			}
			p++
		}
		return p + 1
	}
	return p
}

// single reports whether the item pat[p:end] matches the byte at s.
func (m *matcher) single(s, p, end int) bool {
	if s >= len(m.src) {
		return false
	}
	c := m.src[s]
	switch m.pat[p] {
	case '.':
		return true
	case '%':
		return inClass(c, m.pat[p+1])
	case '[':
		return m.inSet(c, p, end-1)
	}
	return m.pat[p] == c
}

// inSet reports whether c is in the set whose '[' stands at p and ']' at end.
func (m *matcher) inSet(c byte, p, end int) bool {
	negated := false
	p++
	if m.pat[p] == '^' {
		negated = true
		p++
	}
	for ; p < end; p++ {
		switch {
		case m.pat[p] == '%' && p+1 < end:
			p++
			if inClass(c, m.pat[p]) {
				return !negated
			}
		case p+2 < end && m.pat[p+1] == '-':
			if m.pat[p] <= c && c <= m.pat[p+2] {
				return !negated
			}
			p += 2
		case m.pat[p] == c:
			return !negated
		}
	}
	return negated
}

// inClass reports whether c belongs to a class letter such as a, d or S; any
// other character stands for itself.
func inClass(c, class byte) bool {
	var in bool
	switch class | 0x20 {
	case 'a':
		in = isAlpha(c)
	case 'c':
		in = c < ' ' || c == 0x7f
	case 'd':
		in = isDigit(c)
	case 'l':
		in = c >= 'a' && c <= 'z'
	case 'p':
		in = c > ' ' && c < 0x7f && !isAlpha(c) && !isDigit(c)
	case 's':
		in = c == ' ' || c >= '\t' && c <= '\r'
	case 'u':
		in = c >= 'A' && c <= 'Z'
	case 'w':
		in = isAlpha(c) || isDigit(c)
	case 'x':
		in = isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f'
	case 'z':
		in = c == 0
	default:
		return class == c
	}
	if !isAlpha(class) {
		return class == c
	}
	if class >= 'A' && class <= 'Z' {
		return !in
	}
	return in
}

func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
