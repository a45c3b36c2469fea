package event

import (
	"fmt"
	"unicode/utf8"
)

// parser checks JSON while it walks it, once: grammar, depth, duplicate keys,
// range of numbers. The functions that walk take and return an index; -1 means
// that err is set.
type parser struct {
	d   []byte
	err *SyntaxError

	// keys are those of all objects now open, innermost last; the first few live
	// in room, so that an ordinary event needs no memory.
	keys []string
	room [32]string
}

func (p *parser) init(d []byte) {
	p.d = d
	p.keys = p.room[:0]
}

func (p *parser) fail(i int, fix, format string, args ...any) int {
	p.err = &SyntaxError{Offset: i, Msg: fmt.Sprintf(format, args...), Fix: fix}
	return -1
}

// unexpected reports the byte at i, or the end of the text.
func (p *parser) unexpected(i int, want string) int {
	if i >= len(p.d) {
		return p.fail(len(p.d), "the event is cut; send it whole", "the JSON ends where %s should follow", want)
	}
	r, _ := utf8.DecodeRune(p.d[i:])
	return p.fail(i, "", "unexpected %q where %s should be", r, want)
}

// utf8 reports whether the whole text is valid UTF-8.
func (p *parser) utf8() bool {
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
func (p *parser) space(i int) int {
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
func (p *parser) value(i, depth int) int {
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

func (p *parser) literal(i int, word string) int {
	if len(p.d)-i < len(word) || string(p.d[i:i+len(word)]) != word {
		return p.unexpected(i, "a value")
	}
	return i + len(word)
}

// str checks the string whose opening quote is d[i]; it returns the index
// behind the closing quote and whether there are escapes.
func (p *parser) str(i int) (end int, escaped bool) {
	i++
	for {
		i = plain(p.d, i)
		if i >= len(p.d) {
			return p.unexpected(i, "the end of a text"), escaped
		}
		switch p.d[i] {
		case '"':
			return i + 1, escaped
		case '\\':
			escaped = true
			if i = p.escape(i); i < 0 {
				return -1, true
			}
		default:
			return p.fail(i, "write it as an escape", "raw control character 0x%02x in a text", p.d[i]), escaped
		}
	}
}

func (p *parser) escape(i int) int {
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

func (p *parser) number(i int) int {
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
func (p *parser) digits(i int) int {
	if i >= len(p.d) || p.d[i]-'0' > 9 {
		return p.unexpected(i, "a digit")
	}
	for i < len(p.d) && p.d[i]-'0' <= 9 {
		i++
	}
	return i
}

func (p *parser) list(i, depth int) int {
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

func (p *parser) object(i, depth int) int {
	seen := keyset{base: len(p.keys)}
	i = p.space(i + 1)
	if i < len(p.d) && p.d[i] == '}' {
		return i + 1
	}
	for {
		_, next := p.key(i, &seen)
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
	p.keys = p.keys[:seen.base]
	return i + 1
}

// key checks a key and its colon, and that the object does not have it yet; it
// returns the key and the index of the value.
func (p *parser) key(i int, seen *keyset) (string, int) {
	if i >= len(p.d) || p.d[i] != '"' {
		return "", p.unexpected(i, "a quoted key")
	}
	end, escaped := p.str(i)
	if end < 0 {
		return "", -1
	}
	key := text(p.d[i+1:end-1], escaped)
	if !seen.add(p, key) {
		return "", p.fail(i, "keep one of them", "the key %q is there twice", clip(key))
	}
	at := p.space(end)
	if at >= len(p.d) || p.d[at] != ':' {
		return "", p.unexpected(at, "a colon")
	}
	return key, p.space(at + 1)
}

// keyset finds out whether a key is new to its object. A 64-bit filter answers
// for most keys of small objects; then the keys are compared; from manyInSet on
// a map keeps the cost of a large object linear, whatever its keys.
type keyset struct {
	base   int // where the object's keys start in parser.keys
	filter uint64
	byName map[string]struct{}
}

const manyInSet = 24

func (s *keyset) add(p *parser, key string) bool {
	if s.byName != nil {
		n := len(s.byName)
		s.byName[key] = struct{}{}
		return len(s.byName) > n
	}
	h := uint(len(key)) * 7
	if key != "" {
		h += uint(key[0])*3 + uint(key[len(key)-1])*29 + uint(key[len(key)/2])*11
	}
	bit := uint64(1) << (h & 63)
	if s.filter&bit != 0 {
		for _, k := range p.keys[s.base:] {
			if k == key {
				return false
			}
		}
	}
	s.filter |= bit
	p.keys = append(p.keys, key)
	if len(p.keys)-s.base > manyInSet {
		s.byName = make(map[string]struct{}, 2*manyInSet)
		for _, k := range p.keys[s.base:] {
			s.byName[k] = struct{}{}
		}
		p.keys = p.keys[:s.base]
	}
	return true
}

// clip shortens a text for a message.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	n := most
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
