package event

import (
	"fmt"
	"unicode/utf8"
)

// What follows is the plain way to check an event: byte by byte, UTF-8 first of
// all, the keys of each object in a map. The package's own hurried pass must
// agree with it in all, down to the offset and the words of the first problem.

type refParser struct {
	d   []byte
	err *SyntaxError
}

func (p *refParser) fail(i int, fix, format string, args ...any) int {
	p.err = &SyntaxError{Offset: i, Msg: fmt.Sprintf(format, args...), Fix: fix}
	return -1
}

// unexpected reports the byte at i, or the end of the text.
func (p *refParser) unexpected(i int, want string) int {
	if i >= len(p.d) {
		return p.fail(len(p.d), "the event is cut; send it whole", "the JSON ends where %s should follow", want)
	}
	r, _ := utf8.DecodeRune(p.d[i:])
	return p.fail(i, "", "unexpected %q where %s should be", r, want)
}

// utf8 reports whether the whole text is valid UTF-8.
func (p *refParser) utf8() bool {
	if utf8.Valid(p.d) {
		return true
	}
	for i := 0; i < len(p.d); {
		r, n := utf8.DecodeRune(p.d[i:])
		if r == utf8.RuneError && n == 1 {
			p.fail(i, "send the event as UTF-8; bytes go into data_base64", "invalid UTF-8 byte 0x%02x", p.d[i])
			break
		}
		i += n
	}
	return false
}

// space returns the index of the next byte that is not white space.
func (p *refParser) space(i int) int {
	for i < len(p.d) {
		switch p.d[i] {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

// value checks the value at d[i], which lies depth levels deep, and returns the
// index behind it.
func (p *refParser) value(i, depth int) int {
	if i >= len(p.d) {
		return p.unexpected(i, "a value")
	}
	switch c := p.d[i]; c {
	case '"':
		end, _ := p.str(i)
		return end
	case '{', '[':
		if depth >= MaxDepth {
			return p.fail(i, "flatten the payload", "JSON nested deeper than %d levels", MaxDepth)
		}
		if c == '{' {
			return p.object(i, depth+1)
		}
		return p.list(i, depth+1)
	case 't':
		return p.literal(i, "true")
	case 'f':
		return p.literal(i, "false")
	case 'n':
		return p.literal(i, "null")
	default:
		if c == '-' || c-'0' <= 9 {
			return p.number(i)
		}
	}
	return p.unexpected(i, "a value")
}

func (p *refParser) literal(i int, word string) int {
	if len(p.d)-i < len(word) || string(p.d[i:i+len(word)]) != word {
		return p.unexpected(i, "a value")
	}
	return i + len(word)
}

// str checks the string whose opening quote is d[i]; it returns the index
// behind the closing quote and whether there are escapes.
func (p *refParser) str(i int) (end int, escaped bool) {
	for i++; i < len(p.d); {
		switch c := p.d[i]; {
		case c == '"':
			return i + 1, escaped
		case c == '\\':
			escaped = true
			if i = p.escape(i); i < 0 {
				return -1, true
			}
		case c < 0x20:
			return p.fail(i, "write it as an escape", "raw control character 0x%02x in a text", c), escaped
		default:
			i++
		}
	}
	return p.unexpected(i, "the end of a text"), escaped
}

func (p *refParser) escape(i int) int {
	if i+1 >= len(p.d) {
		return p.unexpected(i+1, "an escape")
	}
	switch p.d[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		if _, ok := hex4(p.d[i:]); ok {
			return i + 6
		}
	}
	return p.fail(i, `JSON knows \" \\ \/ \b \f \n \r \t \uXXXX`, "bad escape in a text")
}

func (p *refParser) number(i int) int {
	start, d := i, p.d
	if d[i] == '-' {
		i++
	}
	if i < len(d) && d[i] == '0' {
		i++ // no more digits may follow
	} else if i = p.digits(i); i < 0 {
		return -1
	}
	if i < len(d) && d[i] == '.' {
		if i = p.digits(i + 1); i < 0 {
			return -1
		}
	}
	exp := i < len(d) && d[i]|0x20 == 'e'
	if exp {
		i++
		if i < len(d) && (d[i] == '+' || d[i] == '-') {
			i++
		}
		if i = p.digits(i); i < 0 {
			return -1
		}
	}
	if exp || i-start > 300 {
		if _, ok := slowNumber(d[start:i]); !ok {
			return p.fail(start, "write it as a text", "number out of the range of a double")
		}
	}
	return i
}

// digits needs one digit at least.
func (p *refParser) digits(i int) int {
	if i >= len(p.d) || p.d[i]-'0' > 9 {
		return p.unexpected(i, "a digit")
	}
	for i < len(p.d) && p.d[i]-'0' <= 9 {
		i++
	}
	return i
}

func (p *refParser) list(i, depth int) int {
	i = p.space(i + 1)
	if i < len(p.d) && p.d[i] == ']' {
		return i + 1
	}
	for {
		if i = p.value(i, depth); i < 0 {
			return -1
		}
		i = p.space(i)
		if i >= len(p.d) || p.d[i] != ',' {
			break
		}
		i = p.space(i + 1)
	}
	if i >= len(p.d) || p.d[i] != ']' {
		return p.unexpected(i, "a comma or ]")
	}
	return i + 1
}

func (p *refParser) object(i, depth int) int {
	seen := make(map[string]bool)
	i = p.space(i + 1)
	if i < len(p.d) && p.d[i] == '}' {
		return i + 1
	}
	for {
		_, next := p.key(i, seen)
		if next < 0 {
			return -1
		}
		if i = p.value(next, depth); i < 0 {
			return -1
		}
		i = p.space(i)
		if i >= len(p.d) || p.d[i] != ',' {
			break
		}
		i = p.space(i + 1)
	}
	if i >= len(p.d) || p.d[i] != '}' {
		return p.unexpected(i, "a comma or }")
	}
	return i + 1
}

// key checks a key and its colon, and that the object does not have it yet; it
// returns the key's text and the index of the value.
func (p *refParser) key(i int, seen map[string]bool) (string, int) {
	if i >= len(p.d) || p.d[i] != '"' {
		return "", p.unexpected(i, "a quoted key")
	}
	end, escaped := p.str(i)
	if end < 0 {
		return "", -1
	}
	name := text(p.d[i+1:end-1], escaped)
	if seen[name] {
		return "", p.fail(i, "keep one of them", "the key %q is there twice", clip(name))
	}
	seen[name] = true
	at := p.space(end)
	if at >= len(p.d) || p.d[at] != ':' {
		return "", p.unexpected(at, "a colon")
	}
	return name, p.space(at + 1)
}
