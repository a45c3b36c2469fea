package sigma

import (
	"slices"
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
	if more := denied(&either{kids}); len(more) > 0 {
		more.union(k)
		k = more
	}
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
