package cep

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// relatives draws rules that begin alike.
type relatives struct {
	*rand.Rand
	d      ruleDrawer        // has drawn the beginning
	begin  string            //
	extras map[string]string // of its elements
	policy string
	n      int
}

func newRelatives(r *rand.Rand) *relatives {
	f := &relatives{Rand: r, d: ruleDrawer{Rand: r, conds: make(map[string]string), rich: r.IntN(3) == 0}, extras: make(map[string]string)}
	f.begin = f.d.sequence(1 + r.IntN(2))
	if f.d.oneIn(3) {
		f.begin = f.d.name(true) + "{2,}"
	}
	for _, e := range f.d.elems {
		if f.d.oneIn(3) {
			f.extras[e] = f.d.extra()
		}
	}
	f.policy = f.drawPolicy()
	return f
}

func (f *relatives) drawPolicy() string {
	var b strings.Builder
	if f.IntN(3) > 0 {
		fmt.Fprintf(&b, "  within: %ds\n", 2+f.IntN(12))
		if f.IntN(12) == 0 {
			b.WriteString("  on_timeout: emit\n")
		}
	}
	fmt.Fprintf(&b, "  skip: %s\n", pick(f.Rand, "none", "past-last", "past-last", "to-next", "{to-first: e0}", "{to-last: e0}", "{to-last: e0, on_miss: error}"))
	fmt.Fprintf(&b, "  emit: %s\n", pick(f.Rand, "immediate", "immediate", "immediate", "immediate", "ordered"))
	if f.IntN(3) == 0 {
		fmt.Fprintf(&b, "  limit: {runs: %d, full: %s}\n", 1+f.IntN(4), pick(f.Rand, "reject", "drop-oldest"))
	}
	return b.String()
}

// rule writes one of them; not all are allowed.
func (f *relatives) rule(name string) string {
	f.n++
	d := f.d
	d.elems, d.conds, d.depth = slices.Clone(d.elems), maps.Clone(d.conds), 0
	had := len(d.elems)
	d.rich = true
	pattern := f.begin + pick(f.Rand, " then ", " then ", " then ", " next ", " then any ")
	if d.oneIn(4) {
		pattern += d.sequence(1 + d.IntN(2))
	} else {
		pattern += d.name(true)
	}
	for _, n := range d.elems[had:] {
		switch d.IntN(12) {
		case 0:
		case 1, 2:
			d.conds[n] = fmt.Sprintf(`type == "%s" && data.n == %d`, pick(f.Rand, "a", "b", "c", "d"), d.IntN(3))
		default:
			d.conds[n] = fmt.Sprintf(`type == "%s" && data.n %s %s(e0).data.%s`, pick(f.Rand, "b", "c", "d"),
				pick(f.Rand, "==", "==", "!=", "<"), pick(f.Rand, "last", "last", "first"), pick(f.Rand, "n", "n", "k"))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "rule: %s\ndescription: %d\n%swhen:\n  pattern: '%s'\n  define:\n", name, f.n, pick(f.Rand, "", "", "on_change: drain\n", "on_change: reset\n"), pattern)
	for i, n := range d.elems {
		extra := f.extras[n]
		if i >= had && d.oneIn(3) {
			extra = d.extra()
		}
		fmt.Fprintf(&b, "    %s: {where: '%s'%s}\n", n, d.conds[n], extra)
	}
	if f.d.rich || f.n%7 > 0 {
		b.WriteString("  by: data.k\n")
	}
	if f.IntN(6) == 0 {
		b.WriteString(f.drawPolicy())
	} else {
		b.WriteString(f.policy)
	}
	return b.String()
}

// some gives as many rules as can be had in a few attempts.
func (f *relatives) some(names ...string) []*Rule {
	var list []*Rule
	for _, n := range names {
		for range 4 {
			rules, err := ParseRules("r.yaml", []byte(f.rule(n)))
			if err != nil {
				continue
			}
			if _, err := Compile(rules); err == nil {
				list = append(list, rules...)
				break
			}
		}
	}
	return list
}

// twins are a matcher whose rules share what they can, and one whose rules do not.
type twins struct {
	t            *testing.T
	r            *rand.Rand
	f            *relatives
	shared, solo *Matcher
	prog         *Program
	older        []*Program
	log          []string        // what was done
	exact        map[string]bool // rules that always were without bound on time, and of the engine nfa
}

func (w *twins) same(shared, solo []Match) {
	var got, want []string
	for i := range shared {
		got = append(got, string(shared[i].AppendJSON(nil)))
	}
	for i := range solo {
		want = append(want, string(solo[i].AppendJSON(nil)))
	}
	require.Equal(w.t, want, got, strings.Join(w.log, "\n"))
	require.Equal(w.t, w.counts(w.solo), w.counts(w.shared), strings.Join(w.log, "\n"))
	require.Equal(w.t, w.solo.Stopped(), w.shared.Stopped())
}

// counts is what rules have counted. Partial matches that can come to nothing may be
// freed sooner or later.
func (w *twins) counts(m *Matcher) []RuleStats {
	var list []RuleStats
	for _, r := range m.Stats().Rules {
		r.Bytes = 0
		if !w.exact[r.Rule] {
			r.Keys, r.Runs = 0, 0
		}
		over := r.Draining || r == RuleStats{Rule: r.Rule, Version: r.Version} // perhaps
		if w.exact[r.Rule] || !over {
			list = append(list, r)
		}
	}
	return list
}

func (w *twins) note(what string, args ...any) { w.log = append(w.log, fmt.Sprintf(what, args...)) }

func (w *twins) swap(p *Program, err error) {
	require.NoError(w.t, err)
	w.runs(p)
	require.Equal(w.t, w.changed(w.solo.Swap(p)), w.changed(w.shared.Swap(p)), strings.Join(w.log, "\n"))
}

// changed is what became of rules of which nothing may have been over.
func (w *twins) changed(list []Change) []Change {
	return slices.DeleteFunc(append([]Change{}, list...), func(c Change) bool { return !w.exact[c.Rule] })
}

// runs notes that a program is run.
func (w *twins) runs(p *Program) {
	w.prog = p
	w.older = append(w.older, p)
	for _, r := range p.Rules() {
		exact := r.When.Within == 0 && p.find(r.Name).plan.engine.Plan().Engine == "nfa"
		was, there := w.exact[r.Name]
		w.exact[r.Name] = exact && (was || !there)
	}
}

// disturb does something between two events.
func (w *twins) disturb() {
	some := fmt.Sprint("r", w.r.IntN(6))
	switch w.r.IntN(9) {
	case 0, 1:
		rules := w.f.some(some)
		for _, r := range rules {
			w.note("put %s", r.Source().Text)
		}
		w.swap(w.prog.Edit(rules, nil))
	case 2:
		w.note("remove %s", some)
		w.swap(w.prog.Edit(nil, []string{some}))
	case 3:
		if r, ok := w.prog.Rule(some); ok { // which then means the same
			w.note("describe %s", some)
			rules, err := ParseRules("r.yaml", []byte(strings.Replace(r.Source().Text, "description: ", "description: 1", 1)))
			require.NoError(w.t, err)
			w.swap(w.prog.Edit(rules, nil))
		}
	case 4:
		w.note("compile again")
		w.swap(Compile(w.prog.Rules()))
	case 5, 6:
		w.note("restore")
		b := w.shared.AppendSnapshot(nil)
		again, err := RestoreMatcher(w.prog, Options{}, b, w.older...)
		require.NoError(w.t, err, strings.Join(w.log, "\n"))
		require.Equal(w.t, b, again.AppendSnapshot(nil), strings.Join(w.log, "\n"))
		w.shared = again
	case 7:
		w.note("change places")
		a, err := RestoreMatcher(w.prog, Options{}, w.solo.AppendSnapshot(nil), w.older...)
		require.NoError(w.t, err)
		b, err := RestoreMatcher(w.prog, Options{apart: true}, w.shared.AppendSnapshot(nil), w.older...)
		require.NoError(w.t, err)
		w.shared, w.solo = a, b
	case 8:
		at := w.shared.Now().Add(time.Duration(w.r.IntN(4)) * time.Second)
		w.note("advance to %s", at.Format("04:05"))
		w.same(w.shared.Advance(at, Position{Seq: 999}, nil), w.solo.Advance(at, Position{Seq: 999}, nil))
	}
}

// Rules that share what they have in common give the matches, in the order and with
// the ids, and the counts, that they give by themselves, whatever happens between
// the events. RHOST_SOAK=1 feeds a million events.
func TestSharingChangesNothing(t *testing.T) {
	steps, seed := 4_000, uint64(1)
	if os.Getenv("RHOST_SOAK") != "" {
		steps = 1_000_000
	}
	shared, matches, forks, rejected := 0, 0, 0, uint64(0)
	for ; steps > 0; seed++ {
		r := rand.New(rand.NewPCG(seed, 1))
		w := &twins{t: t, r: r, f: newRelatives(r), exact: make(map[string]bool)}
		w.note("seed %d", seed)
		rules := w.f.some("r0", "r1", "r2", "r3")
		if len(rules) < 2 {
			continue
		}
		for _, rule := range rules {
			w.note("%s", rule.Source().Text)
		}
		p, err := Compile(rules)
		require.NoError(t, err)
		w.runs(p)
		for _, p := range w.prog.prefixes.list {
			shared += p.rules
		}
		log := short(w.prog, randomEvents(r, 10+r.IntN(30)*pick(r, 1, 1, 1, 6))) // many runs are kept in another way
		w.shared, w.solo = NewMatcher(w.prog, Options{}), NewMatcher(w.prog, Options{apart: true})
		calm := r.IntN(2) == 0
		for i, f := range log {
			if !calm && r.IntN(3) == 0 {
				w.disturb()
			}
			if r.IntN(12) == 0 {
				f.ev.Data = []byte(`{"n":1}`) // no key
			}
			w.note("%s %s %s %s", f.at.Format("04:05"), f.ev.ID, f.ev.Type, f.ev.Data)
			pos := Position{Lane: 1, Seq: uint64(i)}
			got := w.shared.Feed(f.ev, pos, f.at, nil)
			w.same(got, w.solo.Feed(f.ev, pos, f.at, nil))
			matches += len(got)
		}
		for _, s := range w.shared.stems {
			for _, f := range s.families {
				forks += len(f.forks)
			}
		}
		for _, s := range w.shared.Stats().Rules {
			rejected += s.Rejected + s.Dropped
		}
		end := w.shared.Now().Add(time.Hour)
		w.note("end")
		w.same(w.shared.Advance(end, Position{}, nil), w.solo.Advance(end, Position{}, nil))
		steps -= len(log)
	}
	t.Logf("%d seeds, %d rules that shared, %d matches, %d forks at the end, %d starts refused", seed, shared, matches, forks, rejected)
	assert.Positive(t, shared)
	assert.Positive(t, matches)
	assert.Positive(t, forks)
	assert.Positive(t, rejected)
}
