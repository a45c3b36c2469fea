package index

import (
	"unicode"
	"unicode/utf8"
)

// appendVariant appends a text as a variant sees it. The texts of events are
// valid UTF-8.
func appendVariant(dst []byte, s string, variant int) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c-'A' < 26 && variant != asIs {
				c += 'a' - 'A'
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		dst = utf8.AppendRune(dst, variantOf(r, variant))
		i += n
	}
	return dst
}

func variantOf(r rune, variant int) rune {
	switch variant {
	case lowered:
		return unicode.ToLower(r)
	case folded:
		return foldRune(r)
	default:
		return r
	}
}

// foldRune gives one rune for all that (?i) takes for each other: the small
// letter if an ASCII letter is among them, else the least.
func foldRune(r rune) rune {
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	if least-'A' < 26 && least >= 'A' {
		least += 'a' - 'A'
	}
	return least
}

// plain reports whether a text looks the same in all variants: ASCII without
// capital letters.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || c-'A' < 26 {
			return false
		}
	}
	return true
}

// variantText keeps what one variant made of one field of the event at hand.
type variantText struct {
	epoch uint32
	text  string
	buf   []byte
}

// maxKept bounds the buffer that a scratch keeps for one field and variant.
const maxKept = 1 << 20

// of gives the variant of s, computed once per epoch.
func (v *variantText) of(s string, variant int, epoch uint32) string {
	if v.epoch == epoch {
		return v.text
	}
	v.epoch = epoch
	if plain(s) {
		v.text = s
		return s
	}
	if cap(v.buf) > maxKept {
		v.buf = nil
	}
	v.buf = appendVariant(v.buf[:0], s, variant)
	v.text = textOf(v.buf)
	return v.text
}
