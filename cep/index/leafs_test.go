package index_test

import (
	"sync"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/yamldoc"
)

// testLeafs compiles what is no atom: two fields compared.
var testLeafs = sync.OnceValue(func() []*predicate.Leaf {
	set := predicate.NewSet()
	for i := range 4 {
		if _, err := set.Add(predicate.Scope{}, "has("+fieldPath(i).String()+")", yamldoc.Pos{}); err != nil {
			panic(err)
		}
	}
	var out []*predicate.Leaf
	for _, src := range []string{"data.f0 == data.f1", "data.f2 < data.f3"} {
		c, err := set.Add(predicate.Scope{}, src, yamldoc.Pos{})
		if err != nil {
			panic(err)
		}
		f, _ := c.Formula()
		out = append(out, f.Leaf)
	}
	return out
})
