package event

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"unicode/utf8"
)

// parser checks JSON while it walks it, once: grammar, depth, duplicate keys,
// range of numbers. The functions that walk take and return an index; -1 means
// that err is set.
type parser struct {
	d   []byte
	err *SyntaxError

	// keys are where the keys of the objects now open stand in d, innermost
	// object last. The array is part of the parser so that an ordinary event
	// needs no memory; an object for which it is too short moves to a map.
	keys  [32]span
	nkeys int
}

// span is a part of the parsed bytes.
type span struct{ from, to uint32 }

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
	d := p.d
	if i++; i+8 <= len(d) { // most texts are short, and most keys are very short
		if m := marks(binary.LittleEndian.Uint64(d[i:])); m != 0 {
			if j := i + bits.TrailingZeros64(m)>>3; d[j] == '"' {
				return j + 1, false
			}
		}
	}
	return p.longStr(i)
}

// longStr is str from behind the opening quote on.
func (p *parser) longStr(i int) (end int, escaped bool) {
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
	seen := keyset{base: p.nkeys}
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
	p.nkeys = seen.base
	return i + 1
}

// key checks a key and its colon, and that the object does not have it yet; it
// returns the key's text and the index of the value.
func (p *parser) key(i int, seen *keyset) (string, int) {
	d := p.d
	if i >= len(d) || d[i] != '"' {
		return "", p.unexpected(i, "a quoted key")
	}
	end, escaped := p.str(i)
	if end < 0 {
		return "", -1
	}
	name := text(d[i+1:end-1], escaped)
	if !p.unique(i+1, name, escaped, seen) {
		return "", p.fail(i, "keep one of them", "the key %q is there twice", clip(name))
	}
	if end+1 < len(d) && d[end] == ':' && d[end+1] > ' ' {
		return name, end + 1 // as it is nearly always written
	}
	at := p.space(end)
	if at >= len(d) || d[at] != ':' {
		return "", p.unexpected(at, "a colon")
	}
	return name, p.space(at + 1)
}

// keyset finds out whether a key is new to its object. A filter of 64 bits
// answers for most keys of small objects; then the keys are compared. An object
// with many keys, or with escapes in one, has a map, which keeps the cost linear
// whatever the keys are.
type keyset struct {
	base   int // where the object's keys start in parser.keys
	filter uint64
	byName map[string]struct{}
}

// manyInSet is how many keys are compared one by one at most.
const manyInSet = 24

// unique adds the key that starts at d[at] unless the object has it.
func (p *parser) unique(at int, k string, escaped bool, seen *keyset) bool {
	if seen.byName != nil || escaped || p.nkeys == len(p.keys) || p.nkeys-seen.base >= manyInSet {
		return p.uniqueByName(k, seen)
	}
	// The length and three letters tell most keys of an object apart.
	h := uint(len(k)) * 7
	if len(k) > 0 {
		h += uint(k[0])*3 + uint(k[len(k)-1])*29 + uint(k[len(k)/2])*11
	}
	bit := uint64(1) << (h & 63)
	if seen.filter&bit != 0 {
		for _, o := range p.keys[seen.base:p.nkeys] {
			if string(p.d[o.from:o.to]) == k {
				return false
			}
		}
	}
	seen.filter |= bit
	p.keys[p.nkeys] = span{uint32(at), uint32(at + len(k))}
	p.nkeys++
	return true
}

func (p *parser) uniqueByName(name string, seen *keyset) bool {
	if seen.byName == nil {
		seen.byName = make(map[string]struct{}, 2*manyInSet)
		for _, k := range p.keys[seen.base:p.nkeys] {
			seen.byName[alias(p.d[k.from:k.to])] = struct{}{} // without escapes
		}
		p.nkeys = seen.base
	}
	n := len(seen.byName)
	seen.byName[name] = struct{}{}
	return len(seen.byName) > n
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
