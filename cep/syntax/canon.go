package syntax

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/rhost/rhost/yamldoc"
)

// canon writes JSON, member by member, as encoding/json would. A member that is
// nothing is left out.
type canon struct{ b []byte }

func (c *canon) open(bracket byte)  { c.b = append(c.b, bracket) }
func (c *canon) close(bracket byte) { c.b = append(c.b, bracket) }

// item goes to the next member of a list or map.
func (c *canon) item() {
	if last := c.b[len(c.b)-1]; last != '[' && last != '{' {
		c.b = append(c.b, ',')
	}
}

func (c *canon) key(key string) {
	c.item()
	c.b = append(appendText(c.b, key), ':')
}

func (c *canon) text(key, text string) {
	if text != "" {
		c.key(key)
		c.b = appendText(c.b, text)
	}
}

func (c *canon) flag(key string) {
	c.key(key)
	c.b = append(c.b, "true"...)
}

func (c *canon) number(key string, f float64) {
	c.key(key)
	c.b = strconv.AppendFloat(c.b, f, 'g', -1, 64)
}

func (c *canon) float(f float64) {
	c.item()
	c.b = strconv.AppendFloat(c.b, f, 'g', -1, 64)
}

func (c *canon) integer(i int) {
	c.item()
	c.bare(i)
}

func (c *canon) bare(i int) { c.b = strconv.AppendInt(c.b, int64(i), 10) }

func (c *canon) value(v any) {
	c.item()
	b, err := json.Marshal(v)
	if err != nil {
		b = strconv.AppendQuote(nil, err.Error()) // infinities, which are equal to themselves at least
	}
	c.b = append(c.b, b...)
}

func (c *canon) texts(texts []string) {
	c.open('[')
	for _, t := range texts {
		c.item()
		c.b = appendText(c.b, t)
	}
	c.close(']')
}

func (c *canon) labels(labels map[string]string) {
	c.open('{')
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		c.key(k)
		c.b = appendText(c.b, labels[k])
	}
	c.close('}')
}

func (c *canon) node(key string, n *yamldoc.Node) {
	if n != nil {
		c.key(key)
		c.b = appendJSON(c.b, n)
	}
}

// appendJSON writes a node as JSON with sorted keys. Numbers keep their digits
// where JSON can write them as they are.
func appendJSON(dst []byte, n *yamldoc.Node) []byte {
	switch n.Kind {
	case yamldoc.Bool:
		return strconv.AppendBool(dst, n.Bool())
	case yamldoc.Number:
		return append(dst, number(n)...)
	case yamldoc.String:
		return appendText(dst, n.Text)
	case yamldoc.List:
		dst = append(dst, '[')
		for i, item := range n.Items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, item)
		}
		return append(dst, ']')
	case yamldoc.Map:
		keys := n.Keys
		order := func(a, b yamldoc.Entry) int { return strings.Compare(a.Key, b.Key) }
		if !slices.IsSortedFunc(keys, order) {
			keys = slices.Clone(keys)
			slices.SortFunc(keys, order)
		}
		dst = append(dst, '{')
		for i, e := range keys {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendText(dst, e.Key), ':')
			dst = appendJSON(dst, e.Value)
		}
		return append(dst, '}')
	default:
		return append(dst, "null"...)
	}
}

// appendText writes a text as json.Marshal does.
func appendText(dst []byte, s string) []byte {
	start := len(dst)
	dst = append(dst, '"')
	plain := 0 // what of s has been written
	for i := range len(s) {
		var escaped string
		switch c := s[i]; {
		case c < ' ' || c > '~':
			b, err := json.Marshal(s)
			if err != nil {
				return append(dst[:start], `""`...) // a string always can
			}
			return append(dst[:start], b...)
		case c == '"':
			escaped = `\"`
		case c == '\\':
			escaped = `\\`
		case c == '<':
			escaped = `\u003c`
		case c == '>':
			escaped = `\u003e`
		case c == '&':
			escaped = `\u0026`
		default:
			continue
		}
		dst = append(append(dst, s[plain:i]...), escaped...)
		plain = i + 1
	}
	return append(append(dst, s[plain:]...), '"')
}

// number writes a YAML number as JSON; infinities, which JSON does not have,
// become texts.
func number(n *yamldoc.Node) string {
	if text := strings.ReplaceAll(n.Text, "_", ""); json.Valid([]byte(text)) {
		return text
	}
	b, err := json.Marshal(n.Float())
	if err != nil {
		return strconv.Quote(n.Text)
	}
	return string(b)
}

// squeeze makes one space of each stretch of white space outside quotes. Where
// CEL's comments, escapes or long quotes make it hard to tell what is outside,
// the text stays as it is.
func squeeze(cond string) string {
	if squeezed(cond) || strings.Contains(cond, "//") || strings.ContainsRune(cond, '\\') || strings.Contains(cond, `""`) || strings.Contains(cond, "''") {
		return cond
	}
	var b strings.Builder
	var quote rune
	blank := false
	for _, c := range cond {
		if quote == 0 && strings.ContainsRune(" \t\n\r", c) {
			blank = true
			continue
		}
		if blank {
			b.WriteByte(' ')
			blank = false
		}
		switch {
		case quote == c:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		}
		b.WriteRune(c)
	}
	return b.String()
}

// squeezed reports whether every stretch of white space in s is one space, and
// the last character is none.
func squeezed(s string) bool {
	return !strings.ContainsAny(s, "\t\n\r") && !strings.Contains(s, "  ") && !strings.HasSuffix(s, " ")
}
