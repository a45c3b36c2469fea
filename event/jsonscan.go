package event

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// The functions here walk JSON that was checked before. On text that was not
// they stay inside the slice and give up with -1; they never panic.

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plain returns the first index at or after i whose byte ends or interrupts a
// JSON string: a quote, a backslash or a control character; len(d) when there
// is none. Eight bytes are looked at together.
func plain(d []byte, i int) int {
	for ; i+8 <= len(d); i += 8 {
		if m := marks(binary.LittleEndian.Uint64(d[i:])); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for ; i < len(d); i++ {
		if c := d[i]; c == '"' || c == '\\' || c < 0x20 {
			return i
		}
	}
	return i
}

// plainASCII is plain that also stops at a byte outside ASCII.
func plainASCII(d []byte, i int) int {
	for ; i+8 <= len(d); i += 8 {
		if m := stops(binary.LittleEndian.Uint64(d[i:])); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for ; i < len(d); i++ {
		if c := d[i]; c == '"' || c == '\\' || c < 0x20 || c >= utf8.RuneSelf {
			return i
		}
	}
	return i
}

// stops is marks that also sets the top bit of the first byte outside ASCII,
// which takes fewer steps.
func stops(w uint64) uint64 {
	return (((w ^ ones*'"') - ones) | ((w ^ ones*'\\') - ones) | (w - ones*0x20) | w) & highs
}

// marks sets the top bit of the first byte that is a quote, a backslash or a
// control character. Bytes above the first may be marked by mistake.
func marks(w uint64) uint64 {
	quote := w ^ ones*'"'
	slash := w ^ ones*'\\'
	return ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*0x20)&^w) & highs
}

// stringEnd returns the index of the quote that closes the string whose text
// starts at i, and whether the text holds escapes; -1 when it never closes.
func stringEnd(d []byte, i int) (end int, escaped bool) {
	if i+8 <= len(d) { // most texts are short, and most keys are very short
		if m := marks(binary.LittleEndian.Uint64(d[i:])); m != 0 {
			if j := i + bits.TrailingZeros64(m)>>3; d[j] == '"' {
				return j, false
			}
		}
	}
	for {
		i = plain(d, i)
		if i >= len(d) {
			return -1, escaped
		}
		switch d[i] {
		case '"':
			return i, escaped
		case '\\':
			escaped = true
			i += 2
		default:
			i++
		}
	}
}

// word loads the eight bytes from d[i] on, which the caller made sure are there.
func word(d []byte, i int) uint64 {
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(d)), i))[:])
}

// pair loads the two bytes from d[i] on, which the caller made sure are there.
func pair(d []byte, i int) uint16 {
	return binary.LittleEndian.Uint16((*[2]byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(d)), i))[:])
}

func space(d []byte, i int) int {
	for i < len(d) && d[i] <= ' ' {
		i++
	}
	return i
}

// skip returns the index behind the value that starts at d[i].
func skip(d []byte, i int) int {
	if i >= len(d) {
		return -1
	}
	switch d[i] {
	case '"':
		end, _ := stringEnd(d, i+1)
		if end < 0 {
			return -1
		}
		return end + 1
	case '{', '[':
		return skipOpen(d, i+1)
	}
	for i < len(d) {
		switch d[i] {
		case ',', '}', ']', ' ', '\t', '\n', '\r':
			return i
		}
		i++
	}
	return i
}

// skipOpen returns the index behind the bracket that closes the open one in which
// i lies.
func skipOpen(d []byte, i int) int {
	depth := 1
	for i < len(d) {
		switch d[i] {
		case '"':
			end, _ := stringEnd(d, i+1)
			if end < 0 {
				return -1
			}
			i = end
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return -1
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// read gives the JSON value that starts at d[i] and the index behind it, or
// Missing and -1.
func read(d []byte, i int) (Value, int) {
	if i >= len(d) {
		return Value{}, -1
	}
	switch c := d[i]; c {
	case '"':
		end, escaped := stringEnd(d, i+1)
		if end < 0 {
			return Value{}, -1
		}
		return Value{kind: String, text: text(d[i+1:end], escaped)}, end + 1
	case '{', '[':
		end := skipOpen(d, i+1)
		if end < 0 {
			return Value{}, -1
		}
		v := Value{kind: List, text: alias(d[i:end])}
		if c == '{' {
			v.kind = Map
		}
		return v, end
	case 't':
		return BoolValue(true), skip(d, i)
	case 'f':
		return BoolValue(false), skip(d, i)
	case 'n':
		return NullValue(), skip(d, i)
	}
	end := skip(d, i)
	f, ok := number(d[i:end])
	if !ok {
		return Value{}, -1
	}
	return NumberValue(f), end
}

// tens are the powers of ten that a double holds exactly.
var tens = [...]float64{ //nolint:gochecknoglobals // a constant table
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// number reads a JSON number. Up to 15 digits and no exponent are exact in one
// division of two exact doubles; strconv does the rest.
func number(b []byte) (float64, bool) {
	i, neg := 0, false
	if len(b) > 0 && b[0] == '-' {
		i, neg = 1, true
	}
	if len(b)-i > 16 || len(b) == i {
		return slowNumber(b)
	}
	var m uint64
	digits, frac := 0, -1
	for ; i < len(b); i++ {
		c := b[i]
		switch {
		case c-'0' <= 9:
			m = m*10 + uint64(c-'0')
			digits++
		case c == '.' && frac < 0:
			frac = digits
		default:
			return slowNumber(b)
		}
	}
	if digits > 15 || digits == 0 {
		return slowNumber(b)
	}
	f := float64(m)
	if frac >= 0 {
		f /= tens[digits-frac]
	}
	if neg {
		f = -f
	}
	return f, true
}

func slowNumber(b []byte) (float64, bool) {
	f, err := strconv.ParseFloat(alias(b), 64)
	return f, err == nil
}

// alias views b as a string; b must never change.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// text gives the text between the quotes of a JSON string: an alias when
// nothing is escaped, else a new string.
func text(b []byte, escaped bool) string {
	if !escaped {
		return alias(b)
	}
	return string(unescape(make([]byte, 0, len(b)), b))
}

// unescape appends what the inside of a JSON string means. Half a surrogate
// pair becomes U+FFFD, as in encoding/json.
func unescape(dst, b []byte) []byte {
	for i := 0; i < len(b); {
		if b[i] != '\\' || i+1 == len(b) {
			dst = append(dst, b[i])
			i++
			continue
		}
		switch c := b[i+1]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, n := unicodeEscape(b[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
			continue
		default: // quote, slash, backslash
			dst = append(dst, c)
		}
		i += 2
	}
	return dst
}

// unicodeEscape reads \uXXXX, or a pair of them, at the start of b and says
// how many bytes that took.
func unicodeEscape(b []byte) (rune, int) {
	r, ok := hex4(b)
	if !ok {
		return utf8.RuneError, min(len(b), 6)
	}
	if utf16.IsSurrogate(r) {
		if low, ok := hex4(b[6:]); ok {
			if full := utf16.DecodeRune(r, low); full != utf8.RuneError {
				return full, 12
			}
		}
		return utf8.RuneError, 6
	}
	return r, 6
}

// hex4 reads the four digits of a \uXXXX at the start of b.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20-'a' <= 5:
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// bytesOf views s as bytes, which must not be written to.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
