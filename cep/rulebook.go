package cep

import (
	"encoding/hex"
	"fmt"
	"sync/atomic"

	"github.com/rhost/rhost/cep/syntax"
)

// page is a rule that is read when somebody wants to know more than its name:
// the million rules of a program from a cache are left unread.
type page struct {
	name    string
	version [32]byte
	source  syntax.Source
	rule    atomic.Pointer[Rule]
}

// read gives the rule. It was read before, by the release that wrote the cache,
// and its version proves that it still says the same.
func (p *page) read() *Rule {
	if r := p.rule.Load(); r != nil {
		return r
	}
	for r, err := range p.source.Rules() {
		if err != nil || r.Version != hex.EncodeToString(p.version[:]) {
			panic(fmt.Sprintf("cep: the cached rule %s is not what was compiled: %v", p.name, err))
		}
		p.rule.CompareAndSwap(nil, r)
	}
	return p.rule.Load()
}

// get gives the rule of an entry, or nil where there is none.
func (e *entry) get() *Rule {
	if e.page != nil {
		return e.page.read()
	}
	return e.rule
}

// empty reports whether no rule is in the place.
func (e *entry) empty() bool { return e.rule == nil && e.page == nil }

// name and version identify the rule without reading it.
func (e *entry) name() string {
	if e.page != nil {
		return e.page.name
	}
	return e.rule.Name
}

func (e *entry) version() string {
	if e.page != nil {
		return hex.EncodeToString(e.page.version[:])
	}
	return e.rule.Version
}

// sameAs reports whether two entries hold one and the same rule.
func (e *entry) sameAs(o *entry) bool { return e.rule == o.rule && e.page == o.page }
