package yamldoc

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
)

// The limits of a document.
const (
	MaxDepth    = 64      // maps and lists in one another
	MaxDocument = 1 << 20 // bytes
	MaxTokens   = 30_000  // keys, values and punctuation
)

// maxErrors is how many problems of one document are told.
const maxErrors = 50

// Parse reads the documents of a file; those without content are left out. The
// name is only for positions. The error is Errors with the problems of all
// documents; the documents that have none are given beside it.
func Parse(file string, src []byte) ([]*Node, error) {
	var errs Errors
	src = bytes.TrimPrefix(src, []byte(mark))
	if err := checkText(file, 1, src); err != nil {
		return nil, Errors{err}
	}
	var docs []*Node
	for d := range Split(file, src) {
		doc, bad := d.parse()
		errs = append(errs, bad...)
		if doc != nil && len(bad) == 0 {
			docs = append(docs, doc)
		}
	}
	return docs, errs.Err()
}

// mark is the byte order mark, which some editors put before UTF-8.
const mark = "\ufeff"

// checkText refuses bytes that no editor shows. The text starts at line.
func checkText(file string, line int, src []byte) *Error {
	if utf8.Valid(src) && !hasControl(src) {
		return nil
	}
	col := 1
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			return Errorf(Pos{file, line, col}, "", CodeEncoding, "save the file as UTF-8", "invalid UTF-8 byte 0x%02x", src[i])
		case r < utf8.RuneSelf && control(byte(r)):
			return Errorf(Pos{file, line, col}, "", CodeEncoding, `remove it, or write it as an escape in a "quoted" text`, "control character %q", r)
		case r == '\n':
			line, col = line+1, 0
		}
		i, col = i+n, col+1
	}
	return nil
}

func hasControl(b []byte) bool {
	for _, c := range b {
		if (c < 0x20 || c == 0x7f) && control(c) {
			return true
		}
	}
	return false
}

func control(c byte) bool {
	return c < 0x20 && c != '\n' && c != '\t' && c != '\r' || c == 0x7f
}

// section is the text of one document.
type section struct {
	file  string
	line  int    // number of the first line
	next  int    // number of the first line of the next section
	first int    // number of the first line of raw
	raw   []byte // text, and the "---" above it
	text  []byte
	after string // what followed the "---" above it on the same line

	lines  []string
	hashes bool // there is a # somewhere, so there may be comments
}

// cutDocument splits the first document off src, which starts at line. Its own
// "---" is not part of it; the next one's is what rest starts with.
func cutDocument(file string, line int, src []byte) (s section, rest []byte) {
	s = section{file: file, line: line, first: line}
	whole := src
	if isMarker(src) {
		first, after, _ := bytes.Cut(src, []byte("\n"))
		s.after = strings.TrimSpace(string(first[3:]))
		s.line++
		src = after
	}
	end, n := 0, s.line
	for end < len(src) && !isMarker(src[end:]) {
		i := bytes.IndexByte(src[end:], '\n')
		if i < 0 {
			i = len(src) - end - 1
		}
		end, n = end+i+1, n+1
	}
	s.text, s.next = src[:end:end], n
	s.raw = whole[:len(whole)-len(src)+end]
	return s, src[end:]
}

// isMarker reports whether the line at the start of b is "---", alone or
// followed by a blank.
func isMarker(b []byte) bool {
	if !bytes.HasPrefix(b, []byte("---")) {
		return false
	}
	return len(b) == 3 || b[3] == '\n' || b[3] == ' ' || b[3] == '\t'
}

func (s *section) pos(line, col int) Pos { return Pos{s.file, s.line + line - 1, max(col, 1)} }

// parse gives the document's tree; nil when it is empty.
func (s *section) parse() (doc *Node, errs Errors) {
	if s.after != "" && s.after[0] != '#' {
		return nil, Errors{Errorf(s.pos(0, 5), "", CodeSyntax, "start the document on the next line", "text after ---")}
	}
	if len(s.text) > MaxDocument {
		return nil, Errors{Errorf(s.pos(1, 1), "", CodeLimit, "split it with --- lines", "the document has %d bytes, over the limit of %d", len(s.text), MaxDocument)}
	}
	if doc, ok := s.quick(); ok {
		return doc, nil
	}
	return s.slow()
}

// slow gives the document's tree with the YAML library, whatever it is.
func (s *section) slow() (doc *Node, errs Errors) {
	s.lines = strings.Split(string(s.text), "\n")
	s.hashes = bytes.IndexByte(s.text, '#') >= 0
	if err := s.checkNesting(); err != nil {
		return nil, Errors{err}
	}
	defer func() {
		// The YAML library has panicked on malformed text before; whatever it
		// does, a file can only be wrong, not stop the host.
		if r := recover(); r != nil {
			doc, errs = nil, Errors{Errorf(s.pos(1, 1), "", CodeSyntax, "check indentation and quotes", "the document cannot be read (%v)", r)}
		}
	}()
	b := builder{section: s}
	tokens := lexer.Tokenize(string(s.text) + "\n") // it loses a mark that ends the text
	if b.checkTokens(tokens); len(b.errs) > 0 {
		return nil, b.errs
	}
	tree, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, Errors{s.syntaxError(err)}
	}
	for _, d := range tree.Docs {
		if d.Body == nil {
			continue
		}
		if doc != nil {
			b.refuse(d.Body.GetToken(), "", "start each document with ---", "a second document without a --- line")
			break
		}
		doc = b.node(d.Body, "", 0)
	}
	return doc, b.errs
}

// checkNesting refuses what would take the parser, which is recursive, deeper
// than its stack allows. It is a coarse count, far above MaxDepth, that brackets
// in ordinary texts do not reach.
func (s *section) checkNesting() *Error {
	const coarse = 1000
	open := 0
	for i, line := range s.lines {
		dashes := 0
		for rest := strings.TrimLeft(line, " "); strings.HasPrefix(rest, "- ") || strings.HasPrefix(rest, "? "); dashes++ {
			rest = strings.TrimLeft(rest[2:], " ")
		}
		for _, c := range []byte(line) {
			switch c {
			case '[', '{':
				open++
			case ']', '}':
				open = max(open-1, 0)
			}
		}
		if open > coarse || dashes > MaxDepth {
			return s.tooDeep(s.pos(i+1, 1), "")
		}
	}
	return nil
}

func (s *section) tooDeep(pos Pos, key string) *Error {
	return Errorf(pos, key, CodeLimit, "flatten it", "nested deeper than %d levels", MaxDepth)
}

// syntaxError makes the library's error ours. Most are texts that should have
// been quoted, which the library cannot know.
func (s *section) syntaxError(err error) *Error {
	pos, msg := s.pos(1, 1), "not YAML"
	if ye, ok := errors.AsType[yaml.Error](err); ok { // its Error would print the source again, slowly
		msg = ye.GetMessage()
		if tk := ye.GetToken(); tk != nil && tk.Position != nil {
			pos = s.pos(tk.Position.Line, tk.Position.Column)
		}
	}
	if key, value, col, ok := s.keyed(pos.Line); ok && needsQuotes(value) {
		pos.Col = col
		return Errorf(pos, key, CodeQuote, "quote it: "+key+": "+quote(value), "YAML does not read this as a text (%s)", msg)
	}
	if i := pos.Line - s.line; i >= 0 && i < len(s.lines) {
		switch line := s.lines[i]; {
		case strings.HasPrefix(line, "%"):
			return Errorf(pos, "", CodeRefused, "remove the line", "directives (%%YAML, %%TAG) are not taken here")
		case strings.HasPrefix(strings.TrimLeft(line, " "), "\t"):
			return Errorf(pos, "", CodeSyntax, "indent with spaces", "a tab in the indentation")
		}
	}
	return Errorf(pos, "", CodeSyntax, "", "%s", msg)
}

var keyLine = regexp.MustCompile(`^((?:\s|- )*)([A-Za-z_][\w.-]*):\s+(\S.*?)\s*$`)

// keyed splits a line of the form "key: value" and gives the value's column.
func (s *section) keyed(line int) (key, value string, col int, ok bool) {
	if line -= s.line; line < 0 || line >= len(s.lines) {
		return "", "", 0, false
	}
	m := keyLine.FindStringSubmatchIndex(s.lines[line])
	if m == nil {
		return "", "", 0, false
	}
	text := s.lines[line]
	return text[m[4]:m[5]], text[m[6]:m[7]], 1 + utf8.RuneCountInString(text[:m[6]]), true
}

// needsQuotes reports whether YAML reads s, meant as a text, as something else.
func needsQuotes(s string) bool {
	if strings.ContainsAny(s[:1], "!&*\"'[{@`%") && !whole(s) {
		return true
	}
	return strings.Contains(s, ": ") || strings.HasSuffix(s, ":") || strings.Contains(s, " #")
}

// whole reports whether s looks like one quoted text, list or map, whose author
// knew what the first character means.
func whole(s string) bool {
	switch last := s[len(s)-1]; s[0] {
	case '\'', '"':
		return last == s[0] && strings.Count(s, s[:1]) == 2
	case '[':
		return last == ']'
	case '{':
		return last == '}'
	}
	return false
}

// join gives the dotted path of a key.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func item(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
