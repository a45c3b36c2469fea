package cep

import (
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rhost/rhost/cep/engine"
)

// prefix is a beginning that rules of a program have in common: all that their
// conditions up to some number decide.
type prefix struct {
	number uint16 // among those of the program, from 1
	same   signature
	conds  int   // how many conditions it has; those that follow are of the rules' own
	rules  int   // how many rules had it when the program was compiled
	plan   *plan // follows it; of no rule
}

// signature is the same for beginnings that rules can share, whatever program they
// are of.
type signature [16]byte

// prefixes are those that Compile found. Programs made by edits share them: a rule
// that is put in takes one that is there, or none.
type prefixes struct {
	list []*prefix // by number less 1
	by   map[signature]*prefix
}

// maxPrefixes bounds the prefixes of a program: uses have little room for a number.
const maxPrefixes = math.MaxUint16

// signatures gives the beginnings that a rule could share, by how many conditions
// they have, less 1; zero where there is none.
func (pl *plan) signatures() []signature {
	s, ok := pl.engine.(engine.Sharer)
	if !ok {
		return nil
	}
	var list []signature
	for k := 1; k < len(pl.preds); k++ {
		b, ok := s.Branch(k)
		if !ok {
			break // with more conditions it only gets further
		}
		list = append(list, pl.signature(b, k))
	}
	return list
}

// signature identifies the beginning of k conditions.
func (pl *plan) signature(b engine.Branch, k int) (s signature) {
	var w strings.Builder
	w.WriteString(b.Text())
	fmt.Fprintf(&w, "by %v\n", pl.rule.When.By)
	elems := pl.rule.When.Pattern.Elems
	for _, c := range pl.preds[:k] {
		fmt.Fprintf(&w, "%q", c.String())
		for _, r := range c.Reads() {
			fmt.Fprintf(&w, " %d=%q,%v", r.Elem, elems[r.Elem].Name, elems[r.Elem].Repeated)
		}
		w.WriteByte('\n')
	}
	sum := sha256.Sum256([]byte(w.String()))
	copy(s[:], sum[:])
	return s
}

// settle finds what the rules of a program have in common and lists those that
// must see more events than those that meet their conditions. Of the beginnings
// that other rules have too, each rule shares the one that saves most.
func (p *Program) settle(c *compiler) {
	type candidate struct {
		e    *entry
		same []signature
		best int // conditions
	}
	var all []candidate
	count, users := make(map[signature]int), make(map[signature]int)
	for i := range p.places.len() {
		e := p.places.at(i)
		if e.plan == nil {
			continue
		}
		if same := e.plan.signatures(); len(same) > 0 {
			all = append(all, candidate{e: e, same: same})
			for _, s := range same {
				count[s]++
			}
		}
	}
	for i := range all {
		a := &all[i]
		a.best = best(a.same, func(s signature) int { return count[s] - 1 })
		if a.best > 0 {
			users[a.same[a.best-1]]++
		}
	}
	p.prefixes = &prefixes{by: make(map[signature]*prefix)}
	for _, a := range all {
		if a.best > 0 && users[a.same[a.best-1]] > 1 {
			p.prefixes.add(c, a.e.plan, a.same[a.best-1], a.best)
			for n := range a.e.conds {
				u := p.uses.at(int(a.e.first) + int(n))
				*u = a.e.use(u.place, int(n), u.exact)
			}
		}
	}
	for i := range p.places.len() {
		p.note(p.places.at(i), int32(i))
	}
}

// best gives how many conditions to share: as many as possible, with as many rules.
func best(same []signature, others func(signature) int) (conds int) {
	most := 0
	for i, s := range same {
		if saves := others(s) * (i + 1); saves > 0 && saves >= most {
			conds, most = i+1, saves
		}
	}
	return conds
}

// add makes a rule share a beginning, which is made if need be.
func (x *prefixes) add(c *compiler, pl *plan, same signature, conds int) {
	f := x.by[same]
	if f == nil {
		if len(x.list) == maxPrefixes {
			return
		}
		f = &prefix{number: uint16(len(x.list) + 1), same: same, conds: conds, plan: c.prefix(pl, conds)}
		x.list, x.by[same] = append(x.list, f), f
	}
	f.rules++
	pl.share(f)
}

// share makes a rule share a prefix that it has.
func (pl *plan) share(f *prefix) {
	pl.prefix = f
	pl.branch, _ = pl.engine.(engine.Sharer).Branch(f.conds) //nolint:errcheck,forcetypeassert // nothing else begins as others do
}

// prefix compiles the beginning of a rule.
func (c *compiler) prefix(of *plan, conds int) *plan {
	b, _ := of.engine.(engine.Sharer).Branch(conds) //nolint:errcheck,forcetypeassert // as above
	pl := &plan{engine: b.Trunk(), elems: of.elems, preds: slices.Clip(of.preds[:conds]), by: of.by}
	pl.needs = pl.engine.Needs()
	pl.values = c.intern(pl.needs.Paths)
	return pl
}

// find gives a rule that is put in the prefix that saves most, if it has one.
func (x *prefixes) find(pl *plan) {
	if pl == nil || len(x.list) == 0 {
		return
	}
	same := pl.signatures()
	conds := best(same, func(s signature) int {
		if f := x.by[s]; f != nil {
			return f.rules
		}
		return 0
	})
	if conds > 0 {
		pl.share(x.by[same[conds-1]])
	}
}

// use says what the n-th condition of a rule is for.
func (e *entry) use(place int32, n int, exact bool) use {
	u := use{place: place, cond: uint8(n), exact: exact}
	if e.plan != nil && e.plan.prefix != nil && n < e.plan.prefix.conds {
		u.prefix = e.plan.prefix.number
	}
	return u
}

// shared says what a rule shares, for its Plan.
func (pl *plan) shared() *Shared {
	f := pl.prefix
	if f == nil {
		return nil
	}
	s := &Shared{Rules: f.rules}
	for i, number := range pl.elem {
		if int(number) > f.conds {
			break
		}
		s.UpTo = pl.elems[i]
	}
	return s
}
