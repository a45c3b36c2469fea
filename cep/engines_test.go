package cep

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/cea"
	"github.com/rhost/rhost/cep/dfa"
	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// ruleDrawer writes rules at random.
type ruleDrawer struct {
	*rand.Rand
	elems []string // in use, in order
	conds map[string]string
	depth int
	rich  bool // with conditions on what is bound
}

func (d *ruleDrawer) oneIn(n int) bool { return d.IntN(n) == 0 }

func pick[T any](d *rand.Rand, list ...T) T { return list[d.IntN(len(list))] }

// name gives a new element, whose condition may look at those before it.
func (d *ruleDrawer) name(plain bool) string {
	n := fmt.Sprintf("e%d", len(d.elems))
	cond := pick(d.Rand, `type == "a"`, `type == "b"`, `type == "c"`, `type in ["a", "b"]`, `type != "c"`, `data.n > 0`)
	if d.rich && !plain && len(d.elems) > 0 && d.oneIn(2) {
		of := d.elems[d.IntN(len(d.elems))]
		cond += pick(d.Rand, " && data.n == last("+of+").data.n", " && data.n != last("+of+").data.n", " && count("+of+") < 3", " && sum("+of+".data.n) >= data.n")
	}
	d.elems = append(d.elems, n)
	d.conds[n] = cond
	return n
}

func (d *ruleDrawer) quantifier() string {
	return pick(d.Rand, "", "", "", "", "?", "*", "+", "{2}", "{2,}", "{1,3}")
}

// unit writes an element or a group.
func (d *ruleDrawer) unit() string {
	if d.depth < 2 && d.oneIn(6) {
		d.depth++
		s := "(" + d.sequence(1+d.IntN(2)) + ")" + pick(d.Rand, "", "", "+", "{2}", "?")
		d.depth--
		return s
	}
	return d.name(false) + d.quantifier()
}

// operand writes what a link joins.
func (d *ruleDrawer) operand() string {
	switch d.IntN(12) {
	case 0:
		return "(" + d.unit() + " | " + d.unit() + ")"
	case 1:
		return "(" + d.unit() + " & " + d.unit() + ")"
	}
	return d.unit()
}

func (d *ruleDrawer) sequence(n int) string {
	s := d.operand()
	for range n - 1 {
		switch d.IntN(8) {
		case 0:
			s += " next " + d.operand()
		case 1:
			s += " then any " + d.operand()
		case 2:
			s += " then not " + d.name(false) + " then " + d.operand()
		case 3:
			s += " next not " + d.name(false) + " then " + d.operand()
		default:
			s += " then " + d.operand()
		}
	}
	return s
}

// randomRule writes a rule; not all of them are allowed.
func randomRule(r *rand.Rand) string {
	d := &ruleDrawer{Rand: r, conds: make(map[string]string), rich: r.IntN(2) == 0}
	pattern := d.sequence(1 + d.IntN(3))
	if d.oneIn(8) {
		pattern += " then not " + d.name(false)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "rule: r\nwhen:\n  pattern: '%s'\n  define:\n", pattern)
	for _, n := range d.elems {
		if extra := d.extra(); extra == "" {
			fmt.Fprintf(&b, "    %s: '%s'\n", n, d.conds[n])
		} else {
			fmt.Fprintf(&b, "    %s: {where: '%s'%s}\n", n, d.conds[n], extra)
		}
	}
	if d.oneIn(2) {
		b.WriteString("  by: data.k\n")
	}
	if !d.oneIn(4) {
		fmt.Fprintf(&b, "  within: %ds\n", 2+d.IntN(9))
		if d.oneIn(4) {
			b.WriteString("  on_timeout: emit\n")
		}
	}
	some := d.elems[d.IntN(len(d.elems))]
	fmt.Fprintf(&b, "  skip: %s\n", pick(r, "none", "past-last", "past-last", "to-next", "{to-first: "+some+"}", "{to-last: "+some+"}"))
	fmt.Fprintf(&b, "  emit: %s\n", pick(r, "immediate", "immediate", "ordered"))
	if d.oneIn(3) {
		fmt.Fprintf(&b, "  limit: {runs: %d, full: %s}\n", 1+d.IntN(4), pick(r, "reject", "drop-oldest"))
	}
	return b.String()
}

// extra writes what only the long form of an element has.
func (d *ruleDrawer) extra() string {
	switch d.IntN(14) {
	case 0:
		return ", repeat: next"
	case 1, 2:
		return ", repeat: any"
	case 3:
		return ", greedy: true"
	case 4:
		return `, until: 'type == "d"'`
	case 5:
		return ", gap: 3s"
	case 6:
		return ", wait: 4s"
	}
	return ""
}

// forced compiles a rule for one engine; the error says why that cannot be.
func forced(t require.TestingT, rules []*Rule, compile func([]engine.Step, engine.Traits, engine.Policy) (engine.Engine, error)) (*Program, error) {
	p, err := Compile(rules)
	require.NoError(t, err)
	e := p.places.at(0)
	c := &compiler{fields: p.fields, set: predicate.NewSetOn(p.fields)}
	again := &plan{rule: e.rule}
	steps := c.steps(again)
	require.Empty(t, c.errs)
	pl := *e.plan
	if pl.engine, err = compile(steps, again.traits(), policyOf(&e.rule.When)); err != nil {
		return nil, err
	}
	pl.needs = pl.engine.Needs()
	pl.values = c.intern(pl.needs.Paths)
	e.plan, p.alert = &pl, nil
	p.note(e, 0)
	return p, nil
}

// randomEvents draws a log.
func randomEvents(r *rand.Rand, n int) []fed {
	var list []fed
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		at = at.Add(time.Duration(pick(r, 0, 0, 1, 1, 2, 5)) * time.Second)
		list = append(list, fed{&event.Event{
			ID: fmt.Sprint("e", i), Source: "s", Type: pick(r, "a", "a", "b", "b", "c", "d"),
			Data: fmt.Appendf(nil, `{"k":%d,"n":%d}`, r.IntN(2), r.IntN(3)),
		}, at})
	}
	return list
}

// replay feeds a log; with r, it also moves time on between the events and goes on
// from snapshots.
func replay(t require.TestingT, p *Program, log []fed, r *rand.Rand) (lines []string, counts RuleStats) {
	m := NewMatcher(p, Options{Tenant: "t"})
	take := func(ms []Match) {
		for i := range ms {
			lines = append(lines, string(ms[i].AppendJSON(nil)))
		}
	}
	for i, f := range log {
		if r != nil && r.IntN(4) == 0 {
			take(m.Advance(m.Now().Add(f.at.Sub(m.Now())/2), Position{Seq: 999}, nil))
		}
		if r != nil && r.IntN(8) == 0 {
			b := m.AppendSnapshot(nil)
			again, err := RestoreMatcher(p, Options{Tenant: "t"}, b)
			require.NoError(t, err)
			m = again
		}
		take(m.Feed(f.ev, Position{Lane: 1, Seq: uint64(i)}, f.at, nil))
	}
	take(m.Advance(log[len(log)-1].at.Add(time.Hour), Position{}, nil))
	if s := m.Stats(); len(s.Rules) > 0 {
		counts = s.Rules[0]
		counts.Runs, counts.Keys, counts.Bytes = 0, 0, 0
	}
	return lines, counts
}

// short cuts a log off before the matches of `any` become so many that the bounds
// of the engines take effect, which each has its own of.
func short(p *Program, log []fed) []fed {
	const many = 500
	m := NewMatcher(p, Options{})
	for i, f := range log {
		if len(m.Feed(f.ev, Position{Seq: uint64(i)}, f.at, nil)) > many || m.Stats().Runs > many {
			return log[:i+1]
		}
	}
	return log
}

// Every engine that can follow a rule gives the same lines and counts, whatever
// happens between the events. RHOST_SOAK=1 feeds a million events.
func TestEnginesAgree(t *testing.T) {
	steps, seed := 20_000, uint64(1)
	if os.Getenv("RHOST_SOAK") != "" {
		steps = 1_000_000
	}
	compilers := map[string]func([]engine.Step, engine.Traits, engine.Policy) (engine.Engine, error){
		"nfa": nfa, "dfa": dfa.Compile, "cea": cea.Compile,
	}
	did := make(map[string]int)
	matches, pairs := 0, 0
	for ; steps > 0; seed++ {
		r := rand.New(rand.NewPCG(seed, 0))
		text := randomRule(r)
		rules, err := ParseRules("r.yaml", []byte(text))
		if err != nil {
			did["refused"]++
			continue
		}
		if p, err := Compile(rules); err != nil || p.places.at(0).plan == nil || p.places.at(0).plan.engine == nil {
			did["refused"]++
			continue
		}
		log := randomEvents(r, 10+r.IntN(30))
		base, err := forced(t, rules, nfa)
		require.NoError(t, err, text)
		log = short(base, log)
		want, counts := replay(t, base, log, nil)
		matches += len(want)
		for _, name := range []string{"nfa", "dfa", "cea"} {
			p, err := forced(t, rules, compilers[name])
			if err != nil {
				continue
			}
			did[name]++
			if name != "nfa" {
				pairs++
			}
			got, have := replay(t, p, log, r)
			require.Equal(t, want, got, "seed %d, %s: %s%s", seed, name, text, showLog(log))
			require.Equal(t, counts, have, "seed %d, %s: %s", seed, name, text)
			steps -= len(log)
		}
	}
	t.Logf("%v, %d matches", did, matches)
	require.Positive(t, did["dfa"])
	require.Positive(t, did["cea"])
	require.Positive(t, pairs)
}

func showLog(log []fed) string {
	var b strings.Builder
	for _, f := range log {
		fmt.Fprintf(&b, "%s %s %s %s\n", f.at.Format("04:05"), f.ev.ID, f.ev.Type, f.ev.Data)
	}
	return b.String()
}

// What a rule's conditions compare is told to the engine.
func TestTraitsOfJoins(t *testing.T) {
	const rule = "rule: r\nwhen:\n  pattern: a+ then b\n  define:\n    a: type == \"a\"\n    b: '%s'\n"
	for _, tt := range []struct {
		cond  string
		joins int
		equal bool
	}{
		{`data.x == last(a).data.x`, 1, true},
		{`type == "b" && data.x == last(a).data.x && data.y > 3`, 1, true},
		{`data.x == first(a).data.x && data.y == last(a).data.y`, 2, true},
		{`data.x == last(a).data.x && data.y > last(a).data.y`, 1, false},
		{`data.x == last(a).data.x && count(a) > 2`, 1, false},
		{`data.x == last(a).data.x || data.y == last(a).data.y`, 0, false},
		{`data.x != last(a).data.x`, 0, false},
		{`data.x == last(a).data.x && a.exists(e, e.data.x == data.x)`, 1, false},
	} {
		rules, err := ParseRules("r.yaml", fmt.Appendf(nil, rule, tt.cond))
		require.NoError(t, err)
		c := newCompiler(predicate.NewFields())
		pl := &plan{rule: rules[0]}
		c.steps(pl)
		require.Equal(t, yamldoc.Errors(nil), c.errs)
		tr := pl.traits()
		assert.Len(t, tr.Joins[1], tt.joins, tt.cond)
		assert.Equal(t, tt.equal, tr.Equal == 2, tt.cond)
	}
}
