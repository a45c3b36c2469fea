package analysis

import (
	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/cep/syntax"
)

// Check gives what is suspect about the rules of a program, sorted by place. Rules
// that are off are looked at by themselves, and not compared with others.
func Check(p *cep.Program) []Warning {
	k := &checker{prog: p, set: predicate.NewSet()}
	k.overlaps.seen = make(map[string]*reading)
	count := 0
	p.All(func(r *syntax.Rule) bool {
		if count++; count%perSet == 0 {
			k.set = predicate.NewSet() // what was compiled so far can be freed
		}
		rd := readingOf(r, p.Conditions(r, k.set))
		k.conditions(rd)
		k.pattern(rd)
		if r.Mode != syntax.Off {
			k.keep(rd)
			k.emits(rd)
		}
		return true
	})
	k.compare()
	k.loops()
	return sorted(k.list)
}

// perSet is for how many rules compiled conditions are kept to be shared.
const perSet = 1 << 14

// checker is one run of Check.
type checker struct {
	prog *cep.Program
	set  *predicate.Set
	list []Warning

	overlaps overlaps
	cascade  cascade
}
