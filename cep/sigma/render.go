package sigma

import (
	"slices"
	"strings"
)

// term is CEL on its way to text: a piece of it, or pieces joined by && or ||.
type term struct {
	text string
	join string // "&&" or "||"; "" for a text
	kids []*term
	not  bool // of a join: negated as a whole
}

// renderer writes conditions, as long as there is work left.
type renderer struct {
	memo map[expr]known
	left int        // bytes that may still be written
	outs [][]string // what was written for values outside a domain, each once
}

func newRenderer() *renderer { return &renderer{memo: make(map[expr]known), left: maxWork} }

func (r *renderer) atom(s string) *term {
	r.left -= len(s) + 1
	return &term{text: s}
}

func (r *renderer) atoms(list []string) []*term {
	var out []*term
	for _, s := range list {
		out = append(out, r.atom(s))
	}
	return out
}

// yes writes a condition, given what is known where it counts.
func (r *renderer) yes(e expr, k known) *term {
	if r.left < 0 {
		return r.atom("")
	}
	switch e := e.(type) {
	case constant:
		if e {
			return r.atom("true")
		}
		return r.atom("false")
	case *leaf:
		if r.impossible(e, k) {
			return r.atom("false")
		}
		return joined("||", r.atoms(e.pos))
	case *inverse:
		return r.no(e.kid, k)
	case *all:
		return r.conjunction(e.kids, k)
	case *either:
		var kids []*term
		for _, kid := range e.kids {
			if kids = append(kids, r.yes(kid, k)); r.left < 0 {
				break
			}
		}
		return joined("||", kids)
	}
	panic("sigma: a condition of no known kind")
}

// impossible reports whether a leaf that needs a number is asked of a text.
func (r *renderer) impossible(l *leaf, k known) bool {
	return slices.ContainsFunc(l.needs, func(n need) bool {
		return (n.in == number || n.in == numeral) && k.has(n.place, text)
	})
}

// conjunction writes what must all be true, cheap and selective tests first.
// While it is, the other parts of the conjunction are, so each is written with
// what the others say. That holds whenever they come out true: what a condition
// says follows from its positive tests, which are always written out.
func (r *renderer) conjunction(kids []expr, k known) *term {
	inner := known{}
	inner.union(k)
	for _, kid := range kids {
		inner.union(facts(kid, r.memo))
	}
	var first, last []*term
	for _, kid := range kids {
		_, negative := kid.(*inverse)
		if t := r.yes(kid, inner); negative {
			last = append(last, t)
		} else {
			first = append(first, t)
		}
		if r.left < 0 {
			break
		}
	}
	return r.factored(joined("&&", append(first, last...)))
}

// no writes what is true exactly when e is not.
func (r *renderer) no(e expr, k known) *term {
	if r.left < 0 {
		return r.atom("")
	}
	switch e := e.(type) {
	case constant:
		return r.yes(!e, k)
	case *leaf:
		if r.impossible(e, k) {
			return r.atom("true")
		}
		return joined("||", r.refusals([]expr{e}, e.needs, k))
	case *inverse:
		return r.yes(e.kid, k)
	case *all:
		var kids []*term
		for _, kid := range e.kids {
			if kids = append(kids, r.no(kid, k)); r.left < 0 {
				break
			}
		}
		return joined("||", kids)
	case *either:
		return r.none(e.kids, k)
	}
	panic("sigma: a condition of no known kind")
}

// none writes that no alternative is true. Leaves with the same needs, such as
// the values of one field, are negated together.
func (r *renderer) none(kids []expr, k known) *term {
	var out []*term
	for len(kids) > 0 && r.left >= 0 {
		n := 1
		needs, ok := sameNeeds(kids[:1])
		for ok && n < len(kids) {
			if _, ok = sameNeeds([]expr{kids[0], kids[n]}); ok {
				n++
			}
		}
		first, isLeaf := kids[0].(*leaf)
		if n == 1 || !isLeaf || r.impossible(first, k) {
			out = append(out, r.no(kids[0], k))
			kids = kids[1:]
			continue
		}
		out = append(out, joined("||", r.refusals(kids[:n], needs, k)))
		kids = kids[n:]
	}
	return r.factored(joined("&&", out))
}

// maxFactors bounds what factored tries.
const maxFactors = 32

// factored writes (a || x) && (b || x) as (a && b) || x, where x is what makes a
// negation true outside of a domain: filters on one field share it.
func (r *renderer) factored(t *term) *term {
	for _, outs := range r.outs {
		if t.join != "&&" || t.not {
			return t
		}
		var rest, shared []*term
		at := -1
		for _, k := range t.kids {
			without, ok := k.without(outs)
			if !ok {
				rest = append(rest, k)
				continue
			}
			if at < 0 {
				at = len(rest)
			}
			shared = append(shared, without)
		}
		if len(shared) < 2 {
			continue
		}
		common := joined("||", append([]*term{joined("&&", shared)}, textTerms(outs)...))
		t = joined("&&", slices.Insert(rest, at, common))
	}
	return t
}

func textTerms(list []string) []*term {
	var out []*term
	for _, s := range list {
		out = append(out, &term{text: s})
	}
	return out
}

// without takes some alternatives out of a disjunction that has them all, and
// others.
func (t *term) without(alternatives []string) (*term, bool) {
	if t.join != "||" || t.not || len(t.kids) <= len(alternatives) {
		return nil, false
	}
	var rest []*term
	for _, k := range t.kids {
		if k.join != "" || !slices.Contains(alternatives, k.text) {
			rest = append(rest, k)
		}
	}
	if len(rest)+len(alternatives) != len(t.kids) {
		return nil, false
	}
	return joined("||", rest), true
}

// refusals gives the ways for none of the leaves, which have the same needs, to
// be true.
func (r *renderer) refusals(leaves []expr, needs []need, k known) []*term {
	var cores, out []*term
	for _, e := range leaves {
		l, _ := e.(*leaf)
		if l.core != "" {
			cores = append(cores, r.atom(l.core))
		}
		out = append(out, r.atoms(l.neg)...)
	}
	if len(cores) > 0 {
		t := joined("||", cores)
		if t.join == "" {
			t = &term{join: "||", kids: []*term{t}}
		}
		t.not = true
		out = append([]*term{t}, out...)
	}
	for _, n := range needs {
		outs := k.outside(n)
		out = append(out, r.atoms(outs)...)
		if len(outs) > 0 && len(r.outs) < maxFactors && !slices.ContainsFunc(r.outs, func(have []string) bool { return slices.Equal(have, outs) }) {
			r.outs = append(r.outs, outs)
		}
	}
	return out
}

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
