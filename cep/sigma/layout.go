package sigma

import (
	"strings"
)

// joined joins terms, flat and each text once.
func joined(join string, kids []*term) *term {
	var out []*term
	seen := make(map[string]bool)
	for _, t := range kids {
		flat := []*term{t}
		if t.join == join && !t.not {
			flat = t.kids
		}
		for _, t := range flat {
			if t.join == "" {
				if seen[t.text] {
					continue
				}
				seen[t.text] = true
				if t.text == "false" && join == "||" || t.text == "true" && join == "&&" {
					continue
				}
				if t.text == "true" && join == "||" || t.text == "false" && join == "&&" {
					return t
				}
			}
			out = append(out, t)
		}
	}
	switch {
	case len(out) == 1:
		return out[0]
	case len(out) == 0 && join == "||":
		return &term{text: "false"}
	case len(out) == 0:
		return &term{text: "true"}
	}
	return &term{join: join, kids: out}
}

// flat writes a term on one line.
func (t *term) flat(b *strings.Builder, top bool) {
	if t.join == "" {
		b.WriteString(t.text)
		return
	}
	if t.not {
		b.WriteByte('!')
	}
	if !top || t.not {
		b.WriteByte('(')
	}
	for i, k := range t.kids {
		if i > 0 {
			b.WriteString(" " + t.join + " ")
		}
		k.flat(b, false)
	}
	if !top || t.not {
		b.WriteByte(')')
	}
}

// lineWidth is where a condition is broken into lines.
const lineWidth = 100

// lines writes a term over as many lines as it needs to be read.
func (t *term) lines(width int, top bool) []string {
	var b strings.Builder
	if t.flat(&b, top); t.join == "" || b.Len() <= width {
		return wrapList(b.String(), width)
	}
	bare := top && !t.not
	if !bare {
		width -= 2
	}
	var body []string
	for i, k := range t.kids {
		lines := k.lines(width-3, false)
		if i > 0 {
			lines[0] = t.join + " " + lines[0]
		}
		body = append(body, lines...)
	}
	if bare {
		return body
	}
	open := "("
	if t.not {
		open = "!("
	}
	for i := range body {
		body[i] = "  " + body[i]
	}
	return append(append([]string{open}, body...), ")")
}

// wrapList breaks a long list of constants behind its commas; other texts stay
// on one line.
func wrapList(s string, width int) []string {
	if len(s) <= width || !strings.HasSuffix(s, "]") {
		return []string{s}
	}
	var out []string
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted && i-start > width-20:
			out = append(out, s[start:i+1])
			start = i + 2 // the blank behind it
		}
	}
	out = append(out, s[start:])
	for i := 1; i < len(out); i++ {
		out[i] = "  " + out[i]
	}
	return out
}

// depth gives how deep brackets stand in brackets in a text.
func depth(s string) int {
	deepest, open, quoted := 0, 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(' || c == '[':
			open++
			deepest = max(deepest, open)
		case c == ')' || c == ']':
			open--
		}
	}
	return deepest
}
