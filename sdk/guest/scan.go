package guest

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds the nesting of JSON that is followed. The host's own limit is
// 64; the guest's stack must not depend on it.
const maxDepth = 512

// The functions below walk over JSON text b from position i. They return a
// position, or -1 where the text goes wrong. They check as much as is needed to
// stay inside the text; the host has checked the rest.

func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// comma returns where the next item starts, or the closing bracket lies.
func comma(b []byte, i int) int {
	i = space(b, i)
	if i < len(b) && b[i] == ',' {
		i = space(b, i+1)
	}
	return i
}

// skip returns the end of the value that starts at i.
func skip(b []byte, i, depth int) int {
	if i >= len(b) || depth > maxDepth {
		return -1
	}
	switch c := b[i]; {
	case c == '"':
		return stringEnd(b, i)
	case c == '{':
		return skipNested(b, i, '}')
	case c == '[':
		return skipNested(b, i, ']')
	case c == 't':
		return literal(b, i, "true")
	case c == 'f':
		return literal(b, i, "false")
	case c == 'n':
		return literal(b, i, "null")
	case c == '-' || c >= '0' && c <= '9':
		return numberEnd(b, i)
	}
	return -1
}

// skipNested returns the end of the list or object that opens at i. It counts
// brackets; what lies between them matters only to whoever looks inside.
func skipNested(b []byte, i int, closing byte) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			if i = stringEnd(b, i); i < 0 {
				return -1
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				if b[i] != closing {
					return -1
				}
				return i + 1
			}
		}
		i++
	}
	return -1
}

// stringEnd returns the position after the closing quote of the string at i.
func stringEnd(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return -1
}

func literal(b []byte, i int, word string) int {
	if end := i + len(word); end <= len(b) && string(b[i:end]) == word {
		return end
	}
	return -1
}

func numberEnd(b []byte, i int) int {
	for i < len(b) && (b[i] >= '0' && b[i] <= '9' || strings.IndexByte("+-.eE", b[i]) >= 0) {
		i++
	}
	return i
}

// plain reports whether a name stands in JSON text as it is.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return true
}

// unquote returns the text of a JSON string, quotes and escapes removed.
func unquote(q []byte) string {
	if len(q) < 2 {
		return ""
	}
	q = q[1 : len(q)-1]
	out := make([]byte, 0, len(q))
	for i := 0; i < len(q); i++ {
		if q[i] != '\\' || i+1 >= len(q) {
			out = append(out, q[i])
			continue
		}
		i++
		switch c := q[i]; c {
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		case 'r':
			out = append(out, '\r')
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'u':
			r, n := escapedRune(q[i+1:])
			out = utf8.AppendRune(out, r)
			i += n
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

// escapedRune reads the digits after \u, and a second escape when the first is
// half a pair. n is how many bytes it read.
func escapedRune(q []byte) (r rune, n int) {
	r, ok := hex4(q)
	if !ok {
		return utf8.RuneError, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 4
	}
	if len(q) >= 10 && q[4] == '\\' && q[5] == 'u' {
		if low, ok := hex4(q[6:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, 10
			}
		}
	}
	return utf8.RuneError, 4
}

func hex4(q []byte) (rune, bool) {
	if len(q) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(view(q[:4]), 16, 16)
	return rune(n), err == nil
}

// step is one part of a path.
type step struct {
	key   string
	index int
	list  bool // index counts, not key
}

// nextStep takes the first step off a path.
func nextStep(path string) (s step, rest string, ok bool) {
	if path[0] == '[' {
		return bracketStep(path)
	}
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		return step{key: path}, "", true
	}
	rest = path[end:]
	if rest[0] == '.' {
		rest = rest[1:]
		ok = rest != ""
	} else {
		ok = true
	}
	return step{key: path[:end]}, rest, ok && end > 0
}

func bracketStep(path string) (s step, rest string, ok bool) {
	if len(path) > 1 && path[1] == '"' {
		end := stringEnd([]byte(path), 1)
		if end < 0 || end >= len(path) || path[end] != ']' {
			return step{}, "", false
		}
		s = step{key: unquote([]byte(path[1:end]))}
		rest = path[end+1:]
	} else {
		end := strings.IndexByte(path, ']')
		if end < 0 {
			return step{}, "", false
		}
		n, err := strconv.Atoi(path[1:end])
		if err != nil || n < 0 {
			return step{}, "", false
		}
		s = step{index: n, list: true}
		rest = path[end+1:]
	}
	if rest != "" && rest[0] == '.' {
		rest = rest[1:]
		return s, rest, rest != ""
	}
	return s, rest, rest == "" || rest[0] == '['
}
