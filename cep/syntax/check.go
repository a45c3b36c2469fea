package syntax

import (
	"slices"
	"strings"

	"github.com/rhost/rhost/yamldoc"
)

// check applies the rules that need the whole pattern.
func (r *reader) check(w *When, defs *definitions) {
	p := &w.Pattern
	r.sequence(p, defs, p.Seq)
	if states := statesOf(p.Seq); states > MaxStates {
		r.fail(w.TextPos, "when.pattern", CodeStates, "repeat fewer times, or count with count(x) in a condition",
			"the pattern needs more than %d states", MaxStates)
	}
	if len(p.Seq) == 0 {
		return
	}
	if r.timeout != nil && !waits(p.Seq) {
		r.fail(r.timeout.Pos, "when.on_timeout", CodeWithin, "add within: 10m", "needs within, or an element with wait: without either nothing times out")
	}
	if last := &p.Seq[len(p.Seq)-1]; last.Link == ThenNot && w.Within == 0 && last.Wait == 0 {
		name := p.Elems[last.Elem].Name
		r.fail(last.Pos, "when.pattern", CodeWithin, "add within: 10m, or let another element follow",
			"a pattern that ends with `then not %s` needs within, or it would wait for ever", name)
	}
}

// sequence checks every term of a sequence, and what is next to one another.
func (r *reader) sequence(p *Pattern, defs *definitions, seq []Term) {
	for i := range seq {
		t := &seq[i]
		r.term(p, defs, t)
		if t.Link.Negative() && i > 0 && seq[i-1].absent() {
			before := p.spell(&seq[i-1])
			r.fail(t.Pos, "when.pattern", CodeNot, "make "+before+" required, or write two rules",
				"`not %s` follows the optional element %s", p.spell(t), before)
		}
		for _, part := range t.Parts() {
			r.sequence(p, defs, part)
		}
	}
}

// spell names a term in a message.
func (p *Pattern) spell(t *Term) string {
	if t.Elem >= 0 {
		return p.Elems[t.Elem].Name
	}
	var b strings.Builder
	p.term(&b, t)
	return clip(b.String())
}

// term checks what the long form says of a term against how it stands in the
// pattern, with the rules of Flink's patterns.
func (r *reader) term(p *Pattern, defs *definitions, t *Term) {
	name := t.Name
	if t.Elem >= 0 {
		name = p.Elems[t.Elem].Name
	}
	d := defs.find(name)
	if d == nil || d.long == nil {
		return // no more can be said of brackets and bare conditions
	}
	wrong := func(code, fix, key, format string) {
		r.fail(d.place(key), join("when.define", name)+"."+key, code, fix, format, name)
	}
	loops := t.Max == Unbounded
	switch {
	case t.Link.Negative():
		for _, key := range []struct {
			key string
			set bool
		}{{"optional", t.Optional}, {"greedy", t.Greedy}, {"until", t.Until != ""}, {"gap", t.Gap > 0}} {
			if key.set {
				wrong(CodeNot, "remove "+key.key, key.key, "%s must not happen, so only where and wait can be said of it")
			}
		}
	case t.Until != "" && !loops:
		wrong(CodeLoop, "write "+name+"+ or "+name+"{2,} in the pattern", "until", "until ends a loop, and %s is none: it has a greatest number of repetitions")
	case t.Greedy && t.Max == 1:
		wrong(CodeLoop, "write "+name+"+ or "+name+"{2,5} in the pattern", "greedy", "greedy is about repetitions, and %s has none")
	case t.Greedy && t.Repeat == Any:
		wrong(CodeLoop, "remove one of them", "greedy", "repeat: any gives %s every combination, greedy only the longest")
	case t.Gap > 0 && t.Max == 1:
		wrong(CodeLoop, "use wait for the time from the event before", "gap", "gap is the time between repetitions, and %s has none")
	}
}

// place gives the position of a key of the long form.
func (d *definition) place(key string) yamldoc.Pos {
	if e := entry(d.long, key); e != nil {
		return e.Pos
	}
	return d.pos
}

// flags says of every element how often it may be bound; of negative ones there is
// nothing to say.
func (p *Pattern) flags(seq []Term, repeated, optional bool) {
	for i := range seq {
		t := &seq[i]
		repeated, optional := repeated || t.Max != 1, optional || t.Optional || t.Either != nil
		if t.Elem >= 0 && !t.Link.Negative() {
			p.Elems[t.Elem].Repeated, p.Elems[t.Elem].Optional = repeated, optional
		}
		for _, part := range t.Parts() {
			p.flags(part, repeated, optional)
		}
	}
}

// waits reports whether the time before some element is bounded.
func waits(seq []Term) bool {
	for i := range seq {
		if seq[i].Wait > 0 || seq[i].Gap > 0 {
			return true
		}
		if slices.ContainsFunc(seq[i].Parts(), waits) {
			return true
		}
	}
	return false
}
