package sigma

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pattern is a text with wildcards: plain pieces and wildcards in turn.
type pattern []piece

// piece is a plain text, or one wildcard.
type piece struct {
	text string
	wild byte // '*', '?' or 0
}

// literal is a text without wildcards, whatever characters it holds.
func literal(s string) pattern {
	if s == "" {
		return nil
	}
	return pattern{{text: s}}
}

// parsePattern reads a value as Sigma writes it. A backslash escapes * ? and
// itself; before anything else it is a plain character.
func parsePattern(s string) pattern {
	var p pattern
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			p = append(p, piece{text: text.String()})
			text.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && (s[i+1] == '*' || s[i+1] == '?' || s[i+1] == '\\'):
			i++
			text.WriteByte(s[i])
		case c == '*' || c == '?':
			flush()
			p = p.wild(c)
		default:
			text.WriteByte(c)
		}
	}
	flush()
	return p
}

// wild appends a wildcard; stars in a row are one.
func (p pattern) wild(c byte) pattern {
	if n := len(p); c == '*' && n > 0 && p[n-1].wild == '*' {
		return p
	}
	return append(p, piece{wild: c})
}

// any puts stars around p where asked for.
func (p pattern) around(before, after bool) pattern {
	var out pattern
	if before {
		out = out.wild('*')
	}
	for _, x := range p {
		if x.wild != 0 {
			out = out.wild(x.wild)
		} else {
			out = append(out, x)
		}
	}
	if after {
		out = out.wild('*')
	}
	return out
}

// plain gives the text of a pattern that has no wildcards.
func (p pattern) plain() (string, bool) {
	switch {
	case len(p) == 0:
		return "", true
	case len(p) == 1 && p[0].wild == 0:
		return p[0].text, true
	}
	return "", false
}

// everything reports whether p is nothing but stars.
func (p pattern) everything() bool { return len(p) == 1 && p[0].wild == '*' }

// edges takes the stars off both ends; ok is false when what is left has
// wildcards.
func (p pattern) edges() (text string, before, after, ok bool) {
	if n := len(p); n > 0 && p[0].wild == '*' {
		p, before = p[1:], true
	}
	if n := len(p); n > 0 && p[n-1].wild == '*' {
		p, after = p[:n-1], true
	}
	text, ok = p.plain()
	return text, before, after, ok
}

// mapText gives p with every plain piece put through f.
func (p pattern) mapText(f func(string) string) pattern {
	out := make(pattern, len(p))
	for i, x := range p {
		if x.wild == 0 {
			x.text = f(x.text)
		}
		out[i] = x
	}
	return out
}

func (p pattern) lower() pattern { return p.mapText(strings.ToLower) }

// regexp gives p as a regular expression for the whole text, and the longest
// plain piece, which a text must hold to match.
func (p pattern) regexp() (expr, needs string) {
	var b strings.Builder
	b.WriteString("(?s)")
	for i, x := range p {
		switch {
		case x.wild == '*' && (i == 0 || i == len(p)-1):
			continue // left open
		case x.wild == '*':
			b.WriteString(".*")
		default:
			if i == 0 {
				b.WriteByte('^')
			}
			if x.wild == '?' {
				b.WriteByte('.')
			} else {
				b.WriteString(regexp.QuoteMeta(x.text))
			}
			if len(x.text) > len(needs) {
				needs = x.text
			}
			if i == len(p)-1 {
				b.WriteByte('$')
			}
		}
	}
	return b.String(), needs
}

// matches decides p for a short text, by the book.
func (p pattern) matches(s string) bool {
	if len(p) == 0 {
		return s == ""
	}
	switch x := p[0]; x.wild {
	case '*':
		for {
			if p[1:].matches(s) {
				return true
			}
			if s == "" {
				return false
			}
			_, n := utf8.DecodeRuneInString(s)
			s = s[n:]
		}
	case '?':
		_, n := utf8.DecodeRuneInString(s)
		return n > 0 && p[1:].matches(s[n:])
	default:
		rest, ok := strings.CutPrefix(s, x.text)
		return ok && p[1:].matches(rest)
	}
}

// numberRunes are what the text of a JSON number is made of.
const numberRunes = "0123456789+-.eE"

// mayBeNumber reports whether some number's text could match p.
func (p pattern) mayBeNumber() bool {
	for _, x := range p {
		if strings.Trim(x.text, numberRunes) != "" {
			return false
		}
	}
	return true
}

// caseless reports whether no other text is the same when case is ignored. It
// may say false of texts of which that is so.
func caseless(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf || unicode.IsLetter(r) })
}
