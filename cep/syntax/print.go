package syntax

import (
	"strconv"
	"strings"
)

// String gives the pattern in its shortest spelling. With the same `define` it
// parses to the same terms.
func (p Pattern) String() string {
	var b strings.Builder
	p.write(&b, p.Seq)
	return b.String()
}

func (p *Pattern) write(b *strings.Builder, seq []Term) {
	for i := range seq {
		if i > 0 {
			b.WriteString(" " + seq[i].Link.String() + " ")
		}
		p.term(b, &seq[i])
	}
}

func (p *Pattern) term(b *strings.Builder, t *Term) {
	quantifier := t.quantifier()
	switch {
	case t.Elem >= 0:
		b.WriteString(p.Elems[t.Elem].Name)
	case t.Name != "":
		b.WriteString(t.Name)
	case quantifier == "" && t.Group == nil:
		p.several(b, t)
	default:
		b.WriteByte('(')
		p.several(b, t)
		b.WriteByte(')')
	}
	b.WriteString(quantifier)
}

// several writes what stands inside a term, without brackets around it.
func (p *Pattern) several(b *strings.Builder, t *Term) {
	if t.Group != nil {
		p.write(b, t.Group)
		return
	}
	mark := " | "
	if t.Both != nil {
		mark = " & "
	}
	for i, part := range t.Parts() {
		if i > 0 {
			b.WriteString(mark)
		}
		if p.tight(part, t.Both == nil) {
			p.write(b, part)
			continue
		}
		b.WriteByte('(')
		p.write(b, part)
		b.WriteByte(')')
	}
}

// tight reports whether an operand needs no brackets: it is one term that does
// not end in a | or & of its own, except for a & in an alternative, which binds
// closer.
func (p *Pattern) tight(part []Term, either bool) bool {
	if len(part) != 1 {
		return false
	}
	t := &part[0]
	return t.Elem >= 0 || t.Name != "" || t.quantifier() != "" || t.Both != nil && either
}

// quantifier gives what stands behind t; "" for nothing.
func (t *Term) quantifier() string {
	low := t.Min
	switch {
	case t.Optional && t.Min == 1 && t.Max == 1:
		return "?"
	case t.Optional && t.Min == 1 && t.Max == Unbounded:
		return "*"
	case t.Min == 1 && t.Max == Unbounded:
		return "+"
	case t.Min == 1 && t.Max == 1:
		return ""
	case t.Optional && t.Min == 1:
		low = 0 // `{0,n}` is how the pattern says an optional `{1,n}`
	}
	switch t.Max {
	case Unbounded:
		return "{" + strconv.Itoa(low) + ",}"
	case low:
		return "{" + strconv.Itoa(low) + "}"
	}
	return "{" + strconv.Itoa(low) + "," + strconv.Itoa(t.Max) + "}"
}
