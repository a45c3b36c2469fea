package predicate

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/common/types"

	"github.com/rhost/rhost/event"
)

// scanner reads the tokens of a condition for the direct parser. Methods that
// report false leave the scanner anywhere: the condition then goes to cel-go.
type scanner struct {
	src string
	i   int
}

// at gives the byte at i, or 0 behind the end.
func (s *scanner) at(i int) byte {
	if i < len(s.src) {
		return s.src[i]
	}
	return 0
}

func (s *scanner) space() {
	for s.i < len(s.src) {
		switch s.src[s.i] {
		case ' ', '\t', '\n', '\r', '\f':
			s.i++
		default:
			return
		}
	}
}

// end reports whether only space is left.
func (s *scanner) end() bool {
	s.space()
	return s.i == len(s.src)
}

func (s *scanner) skip(c byte) bool {
	if s.at(s.i) == c {
		s.i++
		return true
	}
	return false
}

// pair skips && or ||, and space before it.
func (s *scanner) pair(c byte) bool {
	s.space()
	if s.at(s.i) == c && s.at(s.i+1) == c {
		s.i += 2
		return true
	}
	return false
}

func isIdent(c byte) bool { return c == '_' || c|0x20-'a' <= 25 || c-'0' <= 9 }

// peekWord gives the identifier or keyword that comes next, "" if none does.
func (s *scanner) peekWord() string {
	i := s.i
	for i < len(s.src) && isIdent(s.src[i]) {
		i++
	}
	if i > s.i && s.src[s.i]-'0' <= 9 {
		return ""
	}
	return s.src[s.i:i]
}

func (s *scanner) comparison() (Op, bool) {
	c, equal := s.at(s.i), s.at(s.i+1) == '='
	o := OpEq
	switch {
	case c == '=' && equal:
	case c == '!' && equal:
		o = OpNe
	case c == '<' && equal:
		o = OpLe
	case c == '>' && equal:
		o = OpGe
	case c == '<':
		s.i++
		return OpLt, true
	case c == '>':
		s.i++
		return OpGt, true
	default:
		return 0, false
	}
	s.i += 2
	return o, true
}

// literal reads a constant, also timestamp("…").
func (s *scanner) literal() (event.Value, bool) {
	switch c := s.at(s.i); {
	case c == '"', c == '\'':
		text, ok := s.str()
		return event.StringValue(text), ok
	case c == '-', c-'0' <= 9:
		return s.number()
	}
	word := s.peekWord()
	switch word {
	case "true", "false":
		s.i += len(word)
		return event.BoolValue(word == "true"), true
	case "null":
		s.i += len(word)
		return event.NullValue(), true
	case "r", "R":
		text, ok := s.str()
		return event.StringValue(text), ok
	case "timestamp":
		return s.timestamp()
	}
	return event.Value{}, false
}

func (s *scanner) timestamp() (event.Value, bool) {
	s.i += len("timestamp")
	if !s.skip('(') {
		return event.Value{}, false
	}
	s.space()
	text, ok := s.str()
	s.space()
	if !ok || !s.skip(')') {
		return event.Value{}, false
	}
	v := valueOf(types.String(text).ConvertToType(types.TimestampType))
	return v, v.Kind() == event.Time
}

// number reads numbers of which there can be no doubt: integers of up to 15
// digits and fractions.
func (s *scanner) number() (event.Value, bool) {
	start := s.i
	s.skip('-')
	whole := s.digits()
	if whole == 0 || whole > 15 || whole > 1 && s.src[s.i-whole] == '0' {
		return event.Value{}, false
	}
	if s.at(s.i) == '.' {
		s.i++
		if s.digits() == 0 {
			return event.Value{}, false
		}
	}
	if c := s.at(s.i); c == 'e' || c == 'E' {
		s.i++
		if !s.skip('-') {
			s.skip('+')
		}
		if s.digits() == 0 {
			return event.Value{}, false
		}
	}
	if c := s.at(s.i); isIdent(c) || c == '.' || c >= utf8.RuneSelf {
		return event.Value{}, false
	}
	f, err := strconv.ParseFloat(s.src[start:s.i], 64)
	if err != nil || f == 0 && s.src[start] == '-' {
		return event.Value{}, false
	}
	return event.NumberValue(f), true
}

func (s *scanner) digits() int {
	start := s.i
	for s.at(s.i)-'0' <= 9 {
		s.i++
	}
	return s.i - start
}

// str reads a text on one line: in quotes of either kind, also r"…". The text
// is a part of the source unless it holds escapes.
func (s *scanner) str() (string, bool) {
	return s.text(s.skip('r') || s.skip('R'))
}

// quoted skips a text in quotes, whatever escapes it holds.
func (s *scanner) quoted() (string, bool) {
	start := s.i
	quote := s.src[s.i]
	for s.i++; s.i < len(s.src) && s.src[s.i] != '\n'; s.i++ {
		switch s.src[s.i] {
		case '\\':
			s.i++
		case quote:
			s.i++
			return s.src[start:s.i], s.i-start > 2 || s.at(s.i) != quote // not three of them
		}
	}
	return "", false
}

func (s *scanner) text(raw bool) (string, bool) {
	quote := s.at(s.i)
	if quote != '"' && quote != '\'' {
		return "", false
	}
	s.i++
	start := s.i
	escaped, ascii := false, true
	for ; s.i < len(s.src); s.i++ {
		switch c := s.src[s.i]; {
		case c == quote:
			text := s.src[start:s.i]
			s.i++
			if text == "" && s.at(s.i) == quote || !ascii && !utf8.ValidString(text) {
				return "", false // the first of three quotes; not UTF-8
			}
			if escaped {
				return unescape(text)
			}
			return text, true
		case c == '\\' && !raw:
			escaped = true
			s.i++
		case c == '\n', c == '\r':
			return "", false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return "", false
}

// unescape resolves the escapes of one character; those with digits are rare
// and left to cel-go.
func unescape(text string) (string, bool) {
	var b strings.Builder
	b.Grow(len(text))
	for {
		i := strings.IndexByte(text, '\\')
		if i < 0 || i+1 == len(text) {
			b.WriteString(text)
			return b.String(), i < 0
		}
		b.WriteString(text[:i])
		c := text[i+1]
		if at := strings.IndexByte(`abfnrtv`, c); at >= 0 {
			c = "\a\b\f\n\r\t\v"[at]
		} else if strings.IndexByte("\\\"'`?", c) < 0 {
			return "", false
		}
		b.WriteByte(c)
		text = text[i+2:]
	}
}
