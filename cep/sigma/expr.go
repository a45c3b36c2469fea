package sigma

import "slices"

// expr is a two-valued condition: a *leaf, an all, an either, an inverse or a
// constant. The trees share their parts and are not changed once built.
type expr any

type (
	all      struct{ kids []expr }
	either   struct{ kids []expr }
	inverse  struct{ kid expr }
	constant bool
)

// domain is the sort of values for which a leaf has a truth.
type domain uint8

const (
	present domain = iota // any that is there
	filled                // any that is there but null
	scalar                // a text, a number or a truth
	text                  // a text
	address               // a text that is an IP address
	number                // a number
	numeral               // a number, as text
)

// need says that the value at a place must lie in a domain.
type need struct {
	place place
	in    domain
}

// leaf is a test as CEL. In CEL it is unknown where one of its needs is not met,
// and Sigma's truth then is false.
type leaf struct {
	pos   []string // one of them is true when the leaf is
	core  string   // what `!` is put before to negate it, given the needs; "" when neg is all
	neg   []string // further ways for the leaf to be false
	needs []need
	gives []need // what a true leaf says of values beyond its needs

	denies []need // what a leaf that is not true says of values; it has no core and no needs then

	subject string   // of a long list of constants: what is looked up in it
	list    []string // and the constants, as CEL
}

// test is a leaf of one condition.
func test(cel string, needs ...need) *leaf {
	return &leaf{pos: []string{cel}, core: cel, needs: needs}
}

// known is what a true conjunction says of values: domains, by place.
type known map[string]uint8

func (k known) has(p place, d domain) bool { return k[p.text]&(1<<d) != 0 }

func (k known) add(n need) {
	d := uint8(1) << n.in
	switch n.in {
	case address:
		d |= 1<<text | 1<<scalar | 1<<filled | 1<<present
	case text:
		d |= 1<<scalar | 1<<filled | 1<<present
	case number, numeral:
		d = 1<<number | 1<<numeral | 1<<scalar | 1<<filled | 1<<present
	case scalar:
		d |= 1<<filled | 1<<present
	case filled:
		d |= 1 << present
	default:
	}
	k[n.place.text] |= d
}

// union adds what o says.
func (k known) union(o known) {
	for p, d := range o {
		k[p] |= d
	}
}

// outside gives conditions of which one is true when n is not met, and none when
// it is; what is known is left out.
func (k known) outside(n need) []string {
	p := n.place
	if k.has(p, n.in) {
		return nil
	}
	if p.attribute() {
		return append(p.absent(), k.noAddress(n)...)
	}
	if k.has(p, text) && n.in == address {
		return k.noAddress(n)
	}
	out := p.absent()
	if k.has(p, present) {
		out = nil
	}
	if n.in == present {
		return out
	}
	switch n.in {
	case number:
		out = append(out, p.text+" in [null, true, false]", p.text+` >= ""`)
	case numeral:
		out = append(out, p.text+" in [null, true, false]", p.text+" == string("+p.text+")")
	case text, address:
		out = append(out, p.text+" == null", p.text+" != string("+p.text+")")
	default:
		out = append(out, p.text+" == null")
	}
	if k.has(p, filled) {
		out = slices.DeleteFunc(out, func(s string) bool { return s == p.text+" == null" })
	}
	return append(append(out, p.container()...), k.noAddress(n)...)
}

// noAddress is what outside says of texts that are no addresses.
func (k known) noAddress(n need) []string {
	if n.in != address {
		return nil
	}
	return []string{notAddress(n.place.text)}
}

// facts gives what the truth of e says of values. Results are kept in memo, as
// trees share their parts.
func facts(e expr, memo map[expr]known) known {
	switch e := e.(type) {
	case *leaf:
		k := known{}
		for _, n := range e.needs {
			k.add(n)
		}
		for _, n := range e.gives {
			k.add(n)
		}
		return k
	case *inverse:
		return denied(e.kid)
	case *all:
		if k, ok := memo[e]; ok {
			return k
		}
		k := known{}
		for _, kid := range e.kids {
			k.union(facts(kid, memo))
		}
		memo[e] = k
		return k
	case *either:
		if k, ok := memo[e]; ok {
			return k
		}
		k := common(e.kids, memo)
		memo[e] = k
		return k
	}
	return nil
}

// denied gives what the truth of "not e" says of values: where several are not to
// be true, what any of them says.
func denied(e expr) known {
	k := known{}
	switch e := e.(type) {
	case *leaf:
		for _, n := range e.denies {
			k.add(n)
		}
	case *either:
		if len(e.kids) > manyKids {
			break
		}
		for _, kid := range e.kids {
			if l, ok := kid.(*leaf); ok {
				k.union(denied(l))
			}
		}
	}
	return k
}

// common gives what every one of the alternatives says.
func common(kids []expr, memo map[expr]known) known {
	out := known{}
	for i, kid := range kids {
		k := facts(kid, memo)
		if i == 0 {
			out.union(k)
			continue
		}
		for p := range out {
			if out[p] &= k[p]; out[p] == 0 {
				delete(out, p)
			}
		}
	}
	return out
}

// manyKids is from where on a list stays a part of its own: copying long lists
// into others again and again is what a hostile condition would like.
const manyKids = 64

// allOf and eitherOf join conditions, without constants and repetitions, short
// ones flat.
func allOf(kids ...expr) expr {
	var out []expr
	seen := make(map[expr]bool)
	for _, k := range kids {
		if c, ok := k.(constant); ok {
			if !c {
				return c
			}
			continue
		}
		flat := []expr{k}
		if a, ok := k.(*all); ok && len(a.kids) < manyKids {
			flat = a.kids
		}
		out = unseen(out, flat, seen)
	}
	switch len(out) {
	case 0:
		return constant(true)
	case 1:
		return out[0]
	}
	return &all{out}
}

func eitherOf(kids ...expr) expr {
	var out []expr
	seen := make(map[expr]bool)
	for _, k := range kids {
		if c, ok := k.(constant); ok {
			if c {
				return c
			}
			continue
		}
		flat := []expr{k}
		if e, ok := k.(*either); ok && len(e.kids) < manyKids {
			flat = e.kids
		}
		out = unseen(out, flat, seen)
	}
	switch len(out) {
	case 0:
		return constant(false)
	case 1:
		return out[0]
	}
	return &either{out}
}

func unseen(out, more []expr, seen map[expr]bool) []expr {
	for _, e := range more {
		if !seen[e] {
			seen[e] = true
			out = append(out, e)
		}
	}
	return out
}

func not(e expr) expr {
	switch e := e.(type) {
	case constant:
		return !e
	case *inverse:
		return e.kid
	}
	return &inverse{e}
}

// sameNeeds gives the needs that every leaf of a disjunction has, when they are
// the same, so that one negation will do for all.
func sameNeeds(kids []expr) ([]need, bool) {
	var needs []need
	for i, kid := range kids {
		l, ok := kid.(*leaf)
		if !ok || l.core == "" || len(l.neg) > 0 {
			return nil, false
		}
		if i == 0 {
			needs = l.needs
		} else if !slices.EqualFunc(needs, l.needs, func(a, b need) bool { return a.in == b.in && a.place.text == b.place.text }) {
			return nil, false
		}
	}
	return needs, len(kids) > 0
}
