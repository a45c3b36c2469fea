package js

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Bounds on source text. The parser and the compiler recurse, and a Go stack
// that overflows ends the process; so hostile text is recognized before they see
// it.
const (
	maxSource   = 256 << 10 // bytes
	maxNesting  = 200       // brackets and prefix operators inside one another
	maxBrackets = 32 << 10  // opening brackets, wherever they stand
	maxPrefixes = 32 << 10  // characters that can begin a prefix operator
	maxJumps    = 8 << 10   // operators that jump; the compiler's time grows with their square
)

// source is a script as the parser gets it: what a module exports is taken out
// of its text, because the interpreter knows no modules. Positions stay the same.
type source struct {
	text    string
	exports map[string]string // exported name → local name
}

// problem is why a script is not admitted.
type problem struct {
	line        int // 0: the whole script
	reason, fix string
}

// admit reads the tokens of a script. It refuses text that is too long, nested
// too deep or that imports something; other mistakes are for the parser to find.
//
// Where a slash may begin a regular expression or divide is decided by the token
// before it, which is wrong now and then. A script that hides brackets from the
// count that way still meets the bound on brackets wherever they stand.
func admit(src []byte) (source, *problem) {
	switch {
	case len(src) > maxSource:
		return source{}, &problem{0, fmt.Sprintf("the script has %d bytes; at most %d are allowed", len(src), maxSource), "split it into several plugins"}
	case !utf8.Valid(src):
		return source{}, &problem{0, "the script is not UTF-8 text", "save it as UTF-8"}
	case count(src, "([{") > maxBrackets || count(src, "!~+-") > maxPrefixes || jumps(src) > maxJumps:
		return source{}, &problem{0, "the script holds more brackets or operators than the parser is given", "split it into several plugins"}
	}
	l := &lexer{src: src, out: bytes.Clone(src), line: 1, exports: make(map[string]string)}
	l.run()
	if l.problem != nil {
		return source{}, l.problem
	}
	return source{text: string(l.out), exports: l.exports}, nil
}

func jumps(src []byte) (n int) {
	for _, op := range []string{"||", "&&", "??", "?."} {
		n += bytes.Count(src, []byte(op))
	}
	return n
}

func count(src []byte, chars string) (n int) {
	for _, c := range src {
		if strings.IndexByte(chars, c) >= 0 {
			n++
		}
	}
	return n
}

// lexer splits a script into tokens, as far as counting them needs.
type lexer struct {
	src, out []byte
	pos      int
	line     int
	problem  *problem
	exports  map[string]string

	brackets []byte // open brackets; '`' for a substitution in a template
	prefixes int    // prefix operators in a row
	chain    int    // arrows and colons that each nest what follows
	last     lexeme
	lastWord string
}

type lexeme uint8

// Lexemes, as far as a slash and an export need telling apart.
const (
	tokenNone lexeme = iota
	tokenValue
	tokenWord
	tokenOperator
	tokenClose // ) ] }
	tokenDot
)

func (l *lexer) refuse(reason, fix string) {
	if l.problem == nil {
		l.problem = &problem{l.line, reason, fix}
	}
}

func (l *lexer) run() {
	for l.problem == nil {
		l.blank()
		if l.pos >= len(l.src) {
			return
		}
		l.next()
		if len(l.brackets)+l.prefixes+l.chain > maxNesting {
			l.refuse(fmt.Sprintf("nested deeper than %d levels", maxNesting), "move the inner part into a function or a variable of its own")
		}
	}
}

// blank skips white space and comments.
func (l *lexer) blank() {
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; {
		case c == '\n':
			if l.last != tokenOperator {
				l.chain = 0 // what has begun may end here
			}
			l.line++
			l.pos++
		case c <= ' ':
			l.pos++
		case l.at("//"):
			for l.pos < len(l.src) && l.src[l.pos] != '\n' {
				l.pos++
			}
		case l.at("/*"):
			end := bytes.Index(l.src[l.pos+2:], []byte("*/"))
			next := len(l.src)
			if end >= 0 {
				next = l.pos + 2 + end + 2
			}
			l.line += bytes.Count(l.src[l.pos:next], []byte{'\n'})
			l.pos = next
		default:
			return
		}
	}
}

func (l *lexer) at(s string) bool { return bytes.HasPrefix(l.src[l.pos:], []byte(s)) }

func (l *lexer) next() {
	c := l.src[l.pos]
	switch {
	case isWord(c):
		l.word()
	case c >= '0' && c <= '9':
		for l.pos < len(l.src) && (isWord(l.src[l.pos]) || isDigit(l.src[l.pos]) || l.src[l.pos] == '.') {
			l.pos++
		}
		l.value()
	case c == '"' || c == '\'':
		l.quoted(c)
		l.value()
	case c == '`':
		l.pos++
		l.template()
	case c == '/' && l.regexAllowed():
		l.regex()
		l.value()
	default:
		l.pos++
		l.punctuator(c)
	}
}

func (l *lexer) value() { l.last, l.prefixes = tokenValue, 0 }

func (l *lexer) punctuator(c byte) {
	switch c {
	case '(', '[', '{':
		l.brackets = append(l.brackets, c)
		l.last, l.prefixes, l.chain = tokenOperator, 0, 0
	case ')', ']', '}':
		l.prefixes, l.chain = 0, 0
		l.last = tokenClose
		if n := len(l.brackets); n > 0 {
			open := l.brackets[n-1]
			l.brackets = l.brackets[:n-1]
			if open == '`' && c == '}' {
				l.template()
				return
			}
		}
	case '.':
		l.last = tokenDot
	case ',', ';':
		l.last, l.prefixes, l.chain = tokenOperator, 0, 0
	default:
		if c == ':' || c == '>' && l.pos >= 2 && l.src[l.pos-2] == '=' {
			l.chain++
		}
		// Every operator nests what stands to its right at most once more.
		l.last = tokenOperator
		l.prefixes++
	}
}

// word consumes an identifier or keyword.
func (l *lexer) word() {
	start := l.pos
	for l.pos < len(l.src) && (isWord(l.src[l.pos]) || isDigit(l.src[l.pos])) {
		l.pos++
	}
	w := string(l.src[start:l.pos])
	afterDot := l.last == tokenDot
	l.last, l.lastWord = tokenWord, w
	switch {
	case afterDot:
	case w == "export" && len(l.brackets) == 0:
		l.export(start)
		return
	case w == "import" && !l.followedBy(":"):
		l.refuse("imports are not supported", "put everything into one file")
	case prefixWord(w):
		l.prefixes++
		return
	}
	l.prefixes = 0
}

// prefixWord reports whether a word nests the expression after it.
func prefixWord(w string) bool {
	switch w {
	case "typeof", "void", "delete", "await", "yield", "new", "async", "else", "if":
		return true
	}
	return false
}

// followedBy reports whether the next character that is not blank is one of
// chars.
func (l *lexer) followedBy(chars string) bool {
	rest := bytes.TrimLeft(l.src[l.pos:], " \t\r\n")
	return len(rest) > 0 && strings.IndexByte(chars, rest[0]) >= 0
}

// erase blanks a part of the text, but for its line ends.
func (l *lexer) erase(start, end int) {
	for i := start; i < end; i++ {
		if l.out[i] != '\n' {
			l.out[i] = ' '
		}
	}
}

// export takes the word export out, and notes what a list of exports names.
func (l *lexer) export(start int) {
	const fix = "write: export function invoke(call) { … }"
	rest := bytes.TrimLeft(l.src[l.pos:], " \t\r\n")
	switch {
	case bytes.HasPrefix(rest, []byte("default")) || bytes.HasPrefix(rest, []byte("*")):
		l.refuse("only exports by name are supported", fix)
		return
	case !bytes.HasPrefix(rest, []byte("{")):
		l.erase(start, l.pos)
		return
	}
	open := len(l.src) - len(rest)
	end := bytes.IndexByte(rest, '}')
	if end < 0 {
		l.refuse("the list of exports has no end", "add: }")
		return
	}
	for item := range strings.SplitSeq(string(rest[1:end]), ",") {
		words := strings.Fields(item)
		switch {
		case len(words) == 0:
		case len(words) == 1:
			l.exports[words[0]] = words[0]
		case len(words) == 3 && words[1] == "as":
			l.exports[words[2]] = words[0]
		default:
			l.refuse(fmt.Sprintf("cannot read the export %q", strings.TrimSpace(item)), fix)
		}
	}
	l.line += bytes.Count(l.src[l.pos:open+end], []byte{'\n'})
	l.pos = open + end + 1
	after := bytes.TrimLeft(l.src[l.pos:], " \t\r\n")
	if bytes.HasPrefix(after, []byte("from")) && (len(after) == 4 || !isWord(after[4])) {
		l.refuse("imports are not supported", "put everything into one file")
	}
	l.erase(start, l.pos)
	l.last = tokenOperator
}

// quoted skips a string in quotes; it ends at the end of the line at the latest.
func (l *lexer) quoted(quote byte) {
	for l.pos++; l.pos < len(l.src); l.pos++ {
		switch l.src[l.pos] {
		case '\\':
			l.pos++
			if l.pos < len(l.src) && l.src[l.pos] == '\n' {
				l.line++
			}
		case '\n':
			return
		case quote:
			l.pos++
			return
		}
	}
}

// template skips the text of a template up to its end or the next substitution.
func (l *lexer) template() {
	for ; l.pos < len(l.src); l.pos++ {
		switch c := l.src[l.pos]; {
		case c == '\\':
			l.pos++
			if l.pos < len(l.src) && l.src[l.pos] == '\n' {
				l.line++
			}
		case c == '\n':
			l.line++
		case c == '`':
			l.pos++
			l.value()
			return
		case c == '$' && l.at("${"):
			l.pos += 2
			l.brackets = append(l.brackets, '`')
			l.last, l.prefixes = tokenOperator, 0
			return
		}
	}
}

// regexAllowed reports whether a slash here begins a regular expression.
func (l *lexer) regexAllowed() bool {
	switch l.last {
	case tokenValue, tokenClose:
		return false
	case tokenWord:
		switch l.lastWord {
		case "return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else", "do", "await", "yield", "instanceof":
			return true
		}
		return false
	default:
		return true
	}
}

// regex skips a regular expression; it ends at the end of the line at the latest.
func (l *lexer) regex() {
	class := false
	for l.pos++; l.pos < len(l.src); l.pos++ {
		switch l.src[l.pos] {
		case '\\':
			l.pos++
		case '\n':
			return
		case '[':
			class = true
		case ']':
			class = false
		case '/':
			if !class {
				l.pos++
				return
			}
		}
	}
}

func isWord(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == '$' || c >= utf8.RuneSelf || c == '\\'
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
