package event

import (
	"fmt"
	"math/bits"
	"unicode/utf8"
)

// parser checks JSON while it walks it, once: grammar, depth, duplicate keys,
// range of numbers; and in the same walk it takes out the values that a trie of
// paths wants. The functions that walk take and return an index; -1 means that
// err is set.
//
// Whether the text is UTF-8 is asked only when a byte outside ASCII was seen:
// see verdict.
type parser struct {
	d    []byte
	err  *SyntaxError
	high bool    // there are bytes outside ASCII in texts
	dst  []Value // where the wanted values go

	keys  [80]uint32 // see keyset
	nkeys int
	many  map[manyKey]struct{}
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

// verdict ends a walk: it says what is wrong with the text, if anything is. Bytes
// that are not UTF-8 count first, wherever they are, since all else may be their
// doing. A walk that ended well and saw only ASCII has seen every byte.
func (p *parser) verdict() *SyntaxError {
	if p.many != nil {
		p.giveBack()
	}
	if p.err != nil || p.high {
		p.utf8()
	}
	return p.err
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
// index behind it. What is at or below n, which may be nil, goes to dst.
func (p *parser) value(i, depth int, n *node) int {
	if n != nil {
		return p.wanted(i, depth, n)
	}
	if i >= len(p.d) {
		return p.unexpected(i, "a value")
	}
	switch c := p.d[i]; {
	case c == '"':
		end, _ := p.str(i)
		return end
	case c-'0' <= 9 || c == '-':
		return p.number(i)
	case c == '{' || c == '[':
		return p.open(i, depth, nil)
	case c == 't':
		return p.literal(i, "true")
	case c == 'f':
		return p.literal(i, "false")
	case c == 'n':
		return p.literal(i, "null")
	}
	return p.unexpected(i, "a value")
}

// wanted is value for a place that some path passes or ends at.
func (p *parser) wanted(i, depth int, n *node) int {
	if i < len(p.d) && (p.d[i] == '{' || p.d[i] == '[') {
		end := p.open(i, depth, n)
		if end >= 0 && len(n.slots) > 0 {
			v := Value{kind: List, text: alias(p.d[i:end])}
			if p.d[i] == '{' {
				v.kind = Map
			}
			n.put(p.dst, v)
		}
		return end
	}
	end := p.value(i, depth, nil)
	if end >= 0 && len(n.slots) > 0 {
		v, _ := read(p.d[:end], i)
		n.put(p.dst, v)
	}
	return end
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
	for i++; i+8 <= len(d); i += 8 {
		if m := stops(word(d, i)); m != 0 {
			i += bits.TrailingZeros64(m) >> 3
			if d[i] == '"' {
				return i + 1, false
			}
			break
		}
	}
	return p.oddStr(i)
}

// oddStr goes on in a string that has more than ASCII in it, or ends near the
// end of the text.
func (p *parser) oddStr(i int) (end int, escaped bool) {
	for {
		if p.high {
			i = plain(p.d, i)
		} else {
			i = plainASCII(p.d, i)
		}
		if i >= len(p.d) {
			return p.unexpected(i, "the end of a text"), escaped
		}
		switch c := p.d[i]; {
		case c == '"':
			return i + 1, escaped
		case c == '\\':
			escaped = true
			if i = p.escape(i); i < 0 {
				return -1, true
			}
		case c >= utf8.RuneSelf:
			p.high = true
		default:
			return p.fail(i, "write it as an escape", "raw control character 0x%02x in a text", c), escaped
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
	if i < len(d) && d[i]-'1' <= 8 {
		for i++; i < len(d) && d[i]-'0' <= 9; i++ {
		}
	} else if i < len(d) && d[i] == '0' {
		i++ // no more digits may follow
	} else {
		return p.unexpected(i, "a digit")
	}
	if i < len(d) && d[i] != '.' && d[i]|0x20 != 'e' && i-start <= 300 {
		return i
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

// open checks the list or object at d[i], which lies depth levels deep.
func (p *parser) open(i, depth int, n *node) int {
	switch {
	case depth >= MaxDepth:
		return p.fail(i, "flatten the payload", "JSON nested deeper than %d levels", MaxDepth)
	case p.d[i] == '[':
		return p.list(i, depth+1, n)
	case n != nil && len(n.keys) == 0:
		n = nil
	}
	return p.object(i, depth+1, n)
}

func (p *parser) list(i, depth int, n *node) int {
	var items []itemNode
	if n != nil {
		items = n.items
	}
	i = p.space(i + 1)
	if i < len(p.d) && p.d[i] == ']' {
		return i + 1
	}
	for at := 0; ; at++ {
		var item *node
		if len(items) > 0 && items[0].index == at {
			item, items = items[0].node, items[1:]
		}
		if i = p.value(i, depth, item); i < 0 {
			return -1
		}
		if i = p.next(i); i < 0 {
			break
		}
	}
	if i = -i; i >= len(p.d) || p.d[i] != ']' {
		return p.unexpected(i, "a comma or ]")
	}
	return i + 1
}

func (p *parser) object(i, depth int, n *node) int {
	d := p.d
	seen := keyset{base: p.nkeys}
	i = p.space(i + 1)
	if i < len(d) && d[i] == '}' {
		return i + 1
	}
	for {
		var name string
		var t tag
		at := 0
		// Nearly every key is a short text, and a colon and a value follow at
		// once. What holds for it is what key finds out for any.
		if i+11 <= len(d) && d[i] == '"' {
			w := word(d, i+1)
			m := stops(w)
			n := bits.TrailingZeros64(m) >> 3
			if end := i + 1 + n; n < 8 && pair(d, end) == '"'|':'<<8 && p.nkeys-seen.base < manyInSet && p.nkeys < len(p.keys) && seen.object == 0 {
				t = shortTag(w&((m&-m-1)>>7), n)
				h := t.spread()
				bit := uint64(1) << (h & 63)
				if seen.filter[h>>6]&bit == 0 {
					seen.filter[h>>6] |= bit
					p.keys[p.nkeys] = uint32(i + 1)
					p.nkeys++
					name = alias(d[i+1 : end])
					at = end + 2
				}
			}
		}
		if at == 0 {
			if name, t, at = p.key(i, &seen); at < 0 {
				return -1
			}
		} else if d[at] <= ' ' {
			at = p.space(at)
		}
		var kid *node
		if n != nil {
			kid = n.find(t, name)
		}
		if at+9 <= len(d) && d[at] == '"' {
			escaped := false
			m := stops(word(d, at+1))
			switch i = at + 2 + bits.TrailingZeros64(m)>>3; {
			case m == 0:
				i, escaped = p.str(at + 8) // go on behind these eight
			case d[i-1] != '"':
				i, escaped = p.str(at)
			}
			if kid != nil && i > 0 && len(kid.slots) > 0 {
				kid.put(p.dst, Value{kind: String, text: text(d[at+1:i-1], escaped)})
			}
		} else {
			i = p.value(at, depth, kid)
		}
		if i < 0 {
			return -1
		}
		if i+1 < len(d) && d[i] == ',' && d[i+1] > ' ' {
			i++
		} else if i = p.next(i); i < 0 {
			break
		}
	}
	if i = -i; i >= len(d) || d[i] != '}' {
		return p.unexpected(i, "a comma or }")
	}
	p.nkeys = seen.base
	return i + 1
}

// next returns the index of what follows the comma at or after d[i], and minus
// the index of what is there instead of a comma.
func (p *parser) next(i int) int {
	d := p.d
	if i+1 < len(d) && d[i] == ',' && d[i+1] > ' ' {
		return i + 1 // as it is nearly always written
	}
	if i = p.space(i); i >= len(d) || d[i] != ',' {
		return -i
	}
	return p.space(i + 1)
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
