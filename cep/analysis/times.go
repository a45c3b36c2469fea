package analysis

import (
	"fmt"
	"time"

	"github.com/rhost/rhost/cep/syntax"
)

// times reports bounds on time that are written where they bound nothing, as
// docs/rules.md has it under "Time bounds". after tells that an event may have been
// bound before seq begins; inside, that the alternatives around it repeat.
func (k *checker) times(r *syntax.Rule, seq []syntax.Term, after, inside bool) {
	for i := range seq {
		t := &seq[i]
		after := after || i > 0
		if t.Wait > 0 {
			k.wait(r, t, after, inside, i+1 < len(seq))
		}
		if t.Gap > 0 {
			k.gap(r, t, after)
		}
		for _, part := range t.Parts() {
			k.times(r, part, after || t.Max != 1 || t.Both != nil, t.Either != nil && (inside || t.Max != 1) && single(t))
		}
	}
}

// wait reports a wait that bounds nothing.
func (k *checker) wait(r *syntax.Rule, t *syntax.Term, after, inside, more bool) {
	name := nameOf(r, t)
	switch {
	case t.Link == syntax.ThenNot && more:
		k.idle(r, t, "wait", "write it on the element behind the not, or within on the pattern", name+" must not happen, in the middle of the pattern")
	case t.Link.Negative():
	case t.Group != nil, t.Both != nil, t.Either != nil && !single(t):
		k.idle(r, t, "wait", "write it on the elements of "+name+" that it is for", name+" is several elements")
	case t.Elem >= 0 && t.Max != 1:
		k.idle(r, t, "wait", "write gap, or in the condition "+since(name, t.Wait), name+" is repeated")
	case t.Max != 1, inside:
		k.idle(r, t, "wait", "write gap on the group that repeats, or in the condition how long ago the event before may be", name+" stands in alternatives that repeat")
	case !after:
		k.idle(r, t, "wait", "remove it, or write it on what follows", "no event comes before "+name)
	}
}

// gap reports a gap that bounds nothing. The last repetition that there can be is
// not bounded, nor is the first where nothing comes before it.
func (k *checker) gap(r *syntax.Rule, t *syntax.Term, after bool) {
	name := nameOf(r, t)
	between := t.Max - 2 // repetitions after the first that are bounded
	if t.Max == syntax.Unbounded {
		between = t.Min - 1
	}
	switch {
	case t.Group != nil, t.Both != nil, t.Either != nil && !single(t):
		k.idle(r, t, "gap", "write wait on the element that begins "+name, name+" is several elements")
	case !after && between < 1:
		k.idle(r, t, "gap", "write in the condition "+since(name, t.Gap), "no event comes before "+name+", and its last repetition is not bounded")
	}
}

// idle warns of a key of the long form, unless it was said of all elements at once
// with within: {gap: …}.
func (k *checker) idle(r *syntax.Rule, t *syntax.Term, key, fix, why string) {
	name := nameOf(r, t)
	if pos, ok := r.Long(name, key); ok {
		k.warn(r, pos, CodeTime, fix, "when.define.%s.%s: has no effect: %s", name, key, why)
	}
}

// since is a condition that bounds the time between all repetitions.
func since(name string, d time.Duration) string {
	return fmt.Sprintf(`(count(%s) == 0 || time - last(%s).time <= duration("%s"))`, name, name, d)
}

func nameOf(r *syntax.Rule, t *syntax.Term) string {
	if t.Elem >= 0 {
		return r.When.Pattern.Elems[t.Elem].Name
	}
	return t.Name
}

// single reports whether alternatives are of one element each, which wait together.
func single(t *syntax.Term) bool {
	for _, part := range t.Either {
		if len(part) != 1 || part[0].Max != 1 || part[0].Optional || part[0].Elem < 0 && (part[0].Either == nil || !single(&part[0])) {
			return false
		}
	}
	return t.Either != nil
}
