package predicate

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/rhost/rhost/event"
)

// How nodes read as CEL, for people who ask why a rule did or did not match.

func (n *andNode) write(b *strings.Builder, names []string) { writeAll(b, names, " && ", n.kids) }
func (n *orNode) write(b *strings.Builder, names []string)  { writeAll(b, names, " || ", n.kids) }

func (n *notNode) write(b *strings.Builder, names []string) {
	b.WriteString("!(")
	n.kid.write(b, names)
	b.WriteByte(')')
}

func (n *ifTruth) write(b *strings.Builder, names []string) {
	writeAll(b, names, " ? ", []truth{n.cond, n.then})
	b.WriteString(" : ")
	n.other.write(b, names)
}

func (n constTruth) write(b *strings.Builder, _ []string) { b.WriteString(n.t.String()) }
func (n *testNode) write(b *strings.Builder, names []string) {
	n.test.write(b, text(n.subject, names))
}

func (n *relateNode) write(b *strings.Builder, names []string) {
	writeTwo(b, names, n.l, n.op.String(), n.r)
}

func (n *spanNode) write(b *strings.Builder, names []string) {
	writeTwo(b, names, n.l, n.op.String(), n.r)
}

func (n *stringNode) write(b *strings.Builder, names []string) {
	fmt.Fprintf(b, "%s.%s(%s)", text(n.l, names), n.op, text(n.r, names))
}

func (n *memberNode) write(b *strings.Builder, names []string) {
	writeTwo(b, names, n.elem, "in", n.in)
}

func (n *hasNode) write(b *strings.Builder, names []string) {
	b.WriteString("has(" + text(&n.value, names) + ")")
}

func (r *fieldRef) write(b *strings.Builder, names []string) {
	path := celPath(r.field.path)
	if r.whose == underTest {
		b.WriteString(path)
		return
	}
	name := names[r.elem]
	switch {
	case r.whose == theNth:
		name += "[" + strconv.Itoa(r.n) + "]"
	case r.whose == theLast:
		name = "last(" + name + ")"
	case r.list:
		name = "first(" + name + ")"
	}
	b.WriteString(name + "." + path)
}

func (n constValue) write(b *strings.Builder, _ []string) { writeLiteral(b, n.v) }

func (n *arithmetic) write(b *strings.Builder, names []string) {
	b.WriteByte('(')
	writeTwo(b, names, n.l, string(n.op), n.r)
	b.WriteByte(')')
}

func (n *negation) write(b *strings.Builder, names []string) {
	b.WriteString("-(" + text(n.of, names) + ")")
}

func (n *callValue) write(b *strings.Builder, names []string) {
	if name := strings.Trim(n.fn.name, "_"); n.b != nil && name != n.fn.name { // an operator
		b.WriteByte('(')
		writeTwo(b, names, n.a, name, n.b)
		b.WriteByte(')')
		return
	}
	b.WriteString(n.fn.name + "(" + text(n.a, names))
	if n.b != nil {
		b.WriteString(", " + text(n.b, names))
	}
	b.WriteByte(')')
}

func (n *sizeValue) write(b *strings.Builder, names []string) {
	b.WriteString("size(" + text(n.of, names) + ")")
}

func (n *countValue) write(b *strings.Builder, names []string) {
	b.WriteString("count(" + names[n.elem] + ")")
}

func (n *aggregateValue) write(b *strings.Builder, names []string) {
	fmt.Fprintf(b, "%s(%s.%s)", n.agg, names[n.elem], n.field.path)
}

func (n *ifValue) write(b *strings.Builder, names []string) {
	b.WriteByte('(')
	writeAll(b, names, "", []truth{n.cond})
	fmt.Fprintf(b, " ? %s : %s)", text(n.then, names), text(n.other, names))
}

func (n *truthValue) write(b *strings.Builder, names []string) {
	b.WriteString("(" + text(n.of, names) + ")")
}

func (n *partValue) write(b *strings.Builder, names []string) {
	arg := ""
	if n.name != "" {
		arg = strconv.Quote(n.name)
	}
	fmt.Fprintf(b, "%s.%s(%s)", text(n.of, names), n.part, arg)
}

func (n *spanPart) write(b *strings.Builder, names []string) {
	fmt.Fprintf(b, "(%s).%s()", text(n.of, names), n.part)
}

func (n *shifted) write(b *strings.Builder, names []string) {
	b.WriteByte('(')
	n.time.write(b, names)
	b.WriteString(" " + sign(n.back) + " ")
	writeSpan(b, names, n.by)
	b.WriteByte(')')
}

func (n constSpan) write(b *strings.Builder, _ []string) {
	fmt.Fprintf(b, "duration(%q)", n.d)
}

func (n *timeSpan) write(b *strings.Builder, names []string) { writeTwo(b, names, n.l, "-", n.r) }

func (n *sumSpan) write(b *strings.Builder, names []string) {
	n.l.write(b, names)
	b.WriteString(" " + sign(n.back) + " ")
	writeSpan(b, names, n.r)
}

// writeSpan puts a duration that stands right of an operator.
func writeSpan(b *strings.Builder, names []string, s span) {
	switch s.(type) {
	case *timeSpan, *sumSpan:
		b.WriteString("(" + text(s, names) + ")")
	default:
		s.write(b, names)
	}
}

func (n *parsedSpan) write(b *strings.Builder, names []string) {
	b.WriteString("duration(" + text(n.of, names) + ")")
}

func sign(negative bool) string {
	if negative {
		return "-"
	}
	return "+"
}

func writeTwo(b *strings.Builder, names []string, l node, operator string, r node) {
	l.write(b, names)
	b.WriteString(" " + operator + " ")
	r.write(b, names)
}

// writeAll joins operands, with brackets around those that are chains
// themselves.
func writeAll(b *strings.Builder, names []string, operator string, kids []truth) {
	for i, k := range kids {
		if i > 0 {
			b.WriteString(operator)
		}
		switch k.(type) {
		case *andNode, *orNode, *ifTruth:
			b.WriteString("(" + text(k, names) + ")")
		default:
			k.write(b, names)
		}
	}
}

// celPath writes a path so that CEL reads it: CEL keeps words for itself that
// paths do not.
func celPath(p event.Path) string {
	plain := true
	steps := p.Steps()
	for _, st := range steps {
		plain = plain && (st.Index >= 0 || !isReserved(st.Key) && (st.Key == "" || st.Key[0]-'0' > 9))
	}
	if plain {
		return p.String()
	}
	var b strings.Builder
	b.WriteString(p.Root())
	writeSteps(&b, steps)
	return b.String()
}

func writeSteps(b *strings.Builder, steps []event.Step) {
	for _, st := range steps {
		switch {
		case st.Index >= 0:
			b.WriteString("[" + strconv.Itoa(st.Index) + "]")
		case isReserved(st.Key) || event.PathOf("data", st.Key).String() != "data."+st.Key:
			b.WriteString("[" + strconv.Quote(st.Key) + "]")
		default:
			b.WriteString("." + st.Key)
		}
	}
}

// isReserved reports whether CEL's grammar or cel-go takes a word for itself,
// also behind a dot.
func isReserved(word string) bool {
	switch word {
	case "in", "true", "false", "null", "as", "break", "const", "continue", "else", "for", "function", "if",
		"import", "let", "loop", "package", "namespace", "return", "var", "void", "while":
		return true
	}
	return false
}
