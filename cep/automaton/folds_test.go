package automaton

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// asked compiles a loop of three elements whose conditions ask for all there is.
func asked(t require.TestingT) (*Machine, []predicate.Fold) {
	scope := predicate.Scope{Elements: []predicate.Element{{Name: "a", Repeated: true}, {Name: "b", Repeated: true}, {Name: "c", Repeated: true}}, Under: 2}
	var tr Traits
	for i, text := range []string{
		`count(a) > 1 && last(a).data.x > 2 && sum(a.data.x) < avg(b.data.x)`,
		`first(b).data.x > 1 && last(b).data.x == min(b.data.x) && max(a.data.x) > 1`,
		`last(c).data.x > 1`,
	} {
		c, err := predicate.NewSet().Add(scope, text, yamldoc.Pos{})
		require.NoError(t, err)
		tr.Folds, tr.Fields = append(tr.Folds, c.Folds()...), append(tr.Fields, c.BoundFields()...)
		tr.Correlated |= Cond(i + 1).Bit()
	}
	steps := []Step{
		{Elem: 0, Cond: 1, Max: -1, Repeat: Then},
		{Elem: 1, Cond: 2, Link: Then, Max: -1, Repeat: Then},
		{Elem: 2, Cond: 3, Link: Then, Max: -1, Repeat: Then},
	}
	n, err := Compile(steps, tr)
	require.NoError(t, err)
	m, err := NewMachine(n, Policy{Within: time.Hour})
	require.NoError(t, err)
	return m, tr.Folds
}

// comesTo works a fold out from a list of events.
func comesTo(f predicate.Fold, b Bound) (so predicate.Folded) {
	for _, h := range b.AppendElem(nil, f.Elem) {
		so = f.Add(so, &predicate.Event{Ev: &h.Event})
	}
	if so.Event != nil { // the events of a chain have what they keep
		for _, h := range b.AppendElem(nil, f.Elem) {
			if &h.Event == so.Event.Ev {
				so.Event = &h.Seen
			}
		}
	}
	return so
}

// Whatever is bound in whatever order, what a chain carries is what its events come
// to: for the whole of it and for its tails, for forks of it, and for what is left of
// it after a run's starts have moved on; also where other automata made some nodes.
func TestChainsCarryWhatTheirEventsComeTo(t *testing.T) {
	answered, deep := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		m, folds := asked(t)
		other, _ := asked(t)
		bare := &Machine{nfa: &NFA{elems: 3}}
		order := uint64(0)
		add := func(prev *node) *node {
			order++
			data := fmt.Appendf(nil, `{"x":%s}`, rapid.SampledFrom([]string{"0.1", "0.2", "1e16", "-1e16", "-0.0", "3", "3", `"s"`}).Draw(t, "x"))
			in := Input{Ev: &event.Event{Data: data}, Order: order}
			values := []event.Value{in.Ev.Get(m.nfa.paths[0])}
			by := m
			if rapid.IntRange(0, 5).Draw(t, "maker") == 0 {
				by = rapid.SampledFrom([]*Machine{bare, other}).Draw(t, "other maker")
			}
			return by.nfa.bind(prev, in.Hold(), rapid.IntRange(0, 2).Draw(t, "elem"), values[:rapid.IntRange(0, 1).Draw(t, "scanned")])
		}
		check := func(b Bound) {
			for _, f := range folds {
				if so, ok := m.nfa.foldedOf(b, f); ok && (b.n == int(b.head.n) || len(b.AppendElem(nil, f.Elem)) > 0) {
					if answered++; b.n > shortChain && !f.Tail() {
						deep++
					}
					require.Equal(t, comesTo(f, b), so, "%+v of the last %d of %d", f, b.n, b.head.n)
				} else {
					require.False(t, ok && b.n == int(b.head.n))
				}
			}
		}
		var nodes []*node
		head := add(nil)
		for range rapid.IntRange(0, 100).Draw(t, "events") {
			if nodes = append(nodes, head); rapid.IntRange(0, 30).Draw(t, "fork") == 0 {
				head = rapid.SampledFrom(nodes).Draw(t, "of")
			}
			head = add(head)
			check(Bound{head, int(head.n)})
			check(Bound{head, rapid.IntRange(1, int(head.n)).Draw(t, "tail")})
		}
		q := run{head: head, start: start{ev: head.ev, cut: head.n - 1}}
		m.trim(&q)
		check(q.bound())
		check(Bound{q.head, int(q.head.n)})
	})
	assert.Greater(t, deep, answered/40, "long chains are answered without listing them")
}

func (n *NFA) cells() []predicate.Folded { return n.newFolded().all(n) }

// Nodes carry nothing where no condition asks, nor where a pattern binds so few
// events that they may as well be listed; and never more than their bound.
func TestFoldsOnlyWhereTheyPay(t *testing.T) {
	for _, tt := range []struct {
		steps []Step
		folds int // asked for
		want  int
	}{
		{[]Step{{Max: -1}}, 3, 3},
		{[]Step{{Max: -1}}, 0, 0},
		{[]Step{{Max: -1}}, 100, maxFolds},
		{[]Step{{}, {Elem: 1, Link: Then}}, 3, 0},
		{[]Step{{Max: 15}, {Elem: 1, Link: Then}}, 3, 0},
		{[]Step{{Max: 16}, {Elem: 1, Link: Then}}, 3, 3},
		{[]Step{{Group: []Step{{Min: 3, Max: 3}}, Max: 6}}, 3, 3},
		{[]Step{{Either: [][]Step{{{Max: 9}}, {{Max: 9}}}}}, 3, 0},
		{[]Step{{Both: [][]Step{{{Max: 9}}, {{Max: 9}}}}}, 3, 3},
		{[]Step{{Group: []Step{{Group: []Step{{Max: -1}}, Max: 1 << 40}}, Max: 1 << 40}}, 3, 3},
	} {
		var n NFA
		var tr Traits
		for i := range tt.folds {
			tr.Folds = append(tr.Folds, predicate.LastOf(i))
		}
		n.prepare(tt.steps, tr)
		assert.Len(t, n.folds, tt.want, "%+v", tt.steps)
		for i := range n.folds {
			assert.GreaterOrEqual(t, len((&NFA{folds: n.folds[:i+1]}).cells()), i+1)
		}
	}
}
