package lua

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// Bounds on source text. The parser and the compiler recurse, and a Go stack
// that overflows ends the process; so hostile text is recognized before they see
// it.
const (
	maxSource  = 256 << 10 // bytes
	maxNesting = 200       // brackets, blocks and operators inside one another, as in Lua 5.1
)

// admit reads the tokens of a script and refuses text that is too long or nested
// too deep. reason is "" when the text is admitted; what is wrong with it
// otherwise is for the parser to say.
func admit(src []byte) (line int, reason, fix string) {
	if len(src) > maxSource {
		return 0, fmt.Sprintf("the script has %d bytes; at most %d are allowed", len(src), maxSource), "split it into several plugins"
	}
	if !utf8.Valid(src) {
		return 0, "the script is not UTF-8 text", "save it as UTF-8"
	}
	if bytes.HasPrefix(src, []byte("\x1bLua")) {
		return 0, "it is compiled Lua", "load its source"
	}
	s := scanner{src: src, line: 1}
	for s.next() {
		if s.open+s.unary > maxNesting {
			return s.line, fmt.Sprintf("nested deeper than %d levels", maxNesting), "move the inner part into a function or a variable of its own"
		}
	}
	return 0, "", ""
}

// scanner splits a script into tokens, as far as counting them needs.
type scanner struct {
	src  []byte
	pos  int
	line int

	open  int // brackets and blocks that are open
	unary int // operators in a row that each nest an expression
}

// next consumes a token and reports whether there was one.
func (s *scanner) next() bool {
	s.blank()
	if s.pos >= len(s.src) {
		return false
	}
	c := s.src[s.pos]
	switch {
	case isAlpha(c) || c == '_':
		s.word()
		return true
	case isDigit(c):
		for s.pos < len(s.src) && (isAlpha(s.src[s.pos]) || isDigit(s.src[s.pos]) || s.src[s.pos] == '.') {
			s.pos++
		}
		s.unary = 0
		return true
	case c == '"' || c == '\'':
		s.quoted(c)
		s.unary = 0
		return true
	case c == '[' && s.long():
		s.unary = 0
		return true
	}
	s.pos++
	switch c {
	case '(', '{', '[':
		s.open++
		s.unary = 0
	case ')', '}', ']':
		s.open--
		s.unary = 0
	case '-', '#', '^':
		s.unary++
	}
	return true
}

// blank skips white space and comments.
func (s *scanner) blank() {
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; {
		case c == '\n':
			s.line++
			s.pos++
		case c <= ' ':
			s.pos++
		case c == '-' && s.pos+1 < len(s.src) && s.src[s.pos+1] == '-':
			s.pos += 2
			if s.pos < len(s.src) && s.src[s.pos] == '[' && s.long() {
				continue
			}
			for s.pos < len(s.src) && s.src[s.pos] != '\n' {
				s.pos++
			}
		default:
			return
		}
	}
}

// word counts the keywords that open and close blocks. The do of a loop belongs
// to its for or while.
func (s *scanner) word() {
	start := s.pos
	for s.pos < len(s.src) && (isAlpha(s.src[s.pos]) || isDigit(s.src[s.pos]) || s.src[s.pos] == '_') {
		s.pos++
	}
	switch string(s.src[start:s.pos]) {
	case "function", "if", "do", "repeat":
		s.open++
		s.unary = 0
	case "end", "until":
		s.open--
		s.unary = 0
	case "not":
		s.unary++
	default:
		s.unary = 0
	}
}

// quoted skips a string in quotes; it ends at the end of the line at the latest.
func (s *scanner) quoted(quote byte) {
	for s.pos++; s.pos < len(s.src); s.pos++ {
		switch s.src[s.pos] {
		case '\\':
			s.pos++
			if s.pos < len(s.src) && s.src[s.pos] == '\n' {
				s.line++
			}
		case '\n':
			return
		case quote:
			s.pos++
			return
		}
	}
}

// long skips a string or comment in long brackets, and reports whether there was
// one at s.pos.
func (s *scanner) long() bool {
	level := 0
	i := s.pos + 1
	for i < len(s.src) && s.src[i] == '=' {
		level++
		i++
	}
	if i >= len(s.src) || s.src[i] != '[' {
		return false
	}
	closing := append(append([]byte{']'}, bytes.Repeat([]byte{'='}, level)...), ']')
	end := bytes.Index(s.src[i:], closing)
	next := len(s.src)
	if end >= 0 {
		next = i + end + len(closing)
	}
	s.line += bytes.Count(s.src[s.pos:min(next, len(s.src))], []byte{'\n'})
	s.pos = next
	return true
}
