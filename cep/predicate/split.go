package predicate

import (
	"strings"
	"unicode/utf8"

	"github.com/rhost/rhost/yamldoc"
)

// part is a stretch of a template's text.
type part struct {
	text string
	pos  yamldoc.Pos
	expr bool
}

// splitTemplate cuts a text at its `${…}`.
func splitTemplate(text string, pos yamldoc.Pos) ([]part, *yamldoc.Error) {
	var parts []part
	var lit strings.Builder
	start := pos
	flush := func() {
		if lit.Len() > 0 {
			parts = append(parts, part{text: lit.String(), pos: start})
			lit.Reset()
		}
	}
	for text != "" {
		i := strings.Index(text, "${")
		if i < 0 {
			lit.WriteString(text)
			break
		}
		if i > 0 && text[i-1] == '$' {
			lit.WriteString(text[:i-1] + "${")
			pos, text = advance(pos, text[:i+2]), text[i+2:]
			continue
		}
		lit.WriteString(text[:i])
		flush()
		pos, text = advance(pos, text[:i+2]), text[i+2:]
		end := closing(text)
		if end < 0 {
			return nil, yamldoc.Errorf(pos, "", CodeTemplate, "close it with }, or write $${ for the characters ${", "${ is not closed")
		}
		parts = append(parts, part{text[:end], pos, true})
		pos, text = advance(pos, text[:end+1]), text[end+1:]
		start = pos
	}
	flush()
	return parts, nil
}

// advance moves a position past a text.
func advance(pos yamldoc.Pos, text string) yamldoc.Pos {
	if i := strings.LastIndexByte(text, '\n'); i >= 0 {
		pos.Line += strings.Count(text, "\n")
		pos.Col, text = 1, text[i+1:]
	}
	pos.Col += utf8.RuneCountInString(text)
	return pos
}

// closing gives the index of the brace that ends an expression, or -1; braces
// in its texts and maps do not count.
func closing(text string) int {
	depth := 0
	var quote byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '{':
			depth++
		case c == '}' && depth == 0:
			return i
		case c == '}':
			depth--
		}
	}
	return -1
}
