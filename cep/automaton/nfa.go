package automaton

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// kind is what reaching a state means.
type kind uint8

const (
	normal  kind = iota
	final        // the match is complete
	stop         // something happened that must not: the run is dropped
	pending      // complete unless it happens before the deadline
)

func (k kind) String() string { return [...]string{"", "final", "stop", "pending"}[k] }

type op uint8

const (
	take    op = iota // bind the event
	ignore            // let it pass
	proceed           // go on without using it up
)

func (o op) String() string { return [...]string{"take", "ignore", "proceed"}[o] }

type edge struct {
	op   op
	elem int32 // what a Take edge binds
	to   int32
	when guard
}

type state struct {
	kind   kind
	wait   time.Duration // bound on the time since the last bound event; 0: none
	strict bool          // an event that meets no condition still matters here
	edges  []edge

	// The rest is worked out by analyse, over everything that Proceed edges
	// lead to from here.
	looks  uint64 // conditions that decide what happens next
	alert  bool   // strict itself, or leads to a strict state
	fires  bool   // time running out completes the match
	still  bool   // an event that meets no condition leaves a run just as it is
	join   *join  // what tells the runs that an event concerns from the others; nil: nothing
	ahead  uint64 // correlated conditions ahead
	joined bool   // there are some
	equal  bool   // they can tell runs apart by the value of join only
	whole  bool   // some condition ahead reads whole lists
}

// NFA is a compiled pattern. It is immutable.
type NFA struct {
	states []state
	start  int32
	elems  int
	widest int  // edges that can be reached from one state without an event, and one
	bounds bool // some state has a wait

	alert, fires, greedy bool
	all                  bool         // every state must be shown every event
	torn, splits         bool         // see torn.go
	starts               uint64       // conditions that can begin a match
	anyStart             bool         // an event that meets none of them can, too
	paths                []event.Path // what is read of the event under test

	folds []predicate.Fold // what nodes carry
	keeps []keeps          // what bound events keep at hand
}

// States is the number of states.
func (n *NFA) States() int { return len(n.states) }

// Waits reports whether the time since the last bound event is bounded anywhere,
// so that a run's deadline can change while it is open.
func (n *NFA) Waits() bool { return n.bounds }

// Starts lists the conditions, bit by bit, that can begin a match. always is set
// when an event that meets none of them can, too.
func (n *NFA) Starts() (conds uint64, always bool) { return n.starts, n.anyStart }

// String lists the states and edges, for people.
func (n *NFA) String() string {
	var b strings.Builder
	for i := range n.states {
		s := &n.states[i]
		fmt.Fprintf(&b, "%d", i)
		if s.kind != normal {
			fmt.Fprintf(&b, " %s", s.kind)
		}
		if int32(i) == n.start {
			b.WriteString(" start")
		}
		if s.wait > 0 {
			fmt.Fprintf(&b, " wait %s", s.wait)
		}
		b.WriteByte('\n')
		for _, e := range s.edges {
			fmt.Fprintf(&b, "  %s -> %d", e.op, e.to)
			if e.op == take {
				fmt.Fprintf(&b, " as e%d", e.elem)
			}
			if len(e.when) > 0 {
				fmt.Fprintf(&b, " if %s", e.when)
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// trim drops the states that start does not lead to and numbers the others in
// the order a reader meets them.
func (n *NFA) trim() {
	order := []int32{n.start}
	number := map[int32]int32{n.start: 0}
	for i := 0; i < len(order); i++ {
		for _, e := range n.states[order[i]].edges {
			if _, seen := number[e.to]; !seen {
				number[e.to] = int32(len(order))
				order = append(order, e.to)
			}
		}
	}
	states := make([]state, len(order))
	for i, old := range order {
		states[i] = n.states[old]
		for j := range states[i].edges {
			states[i].edges[j].to = number[states[i].edges[j].to]
		}
	}
	n.states, n.start = states, 0
}

// analyse fills in what the states derive from one another and from what the
// conditions read.
func (n *NFA) analyse(tr Traits) {
	n.survey()
	for n.spread(tr) {
	}
	for i := range n.states {
		s := &n.states[i]
		if s.still {
			n.findJoin(s, tr)
			s.equal = s.join != nil && s.join.decides(s.ahead, tr)
		}
	}
}

// survey fills in what the states derive from one another.
func (n *NFA) survey() {
	for i := range n.states {
		s := &n.states[i]
		width := 1
		for _, j := range n.reach(int32(i), func(e edge) bool { return e.op == proceed }) {
			t := &n.states[j]
			width += len(t.edges)
			s.alert = s.alert || t.strict
			for _, e := range t.edges {
				s.looks |= e.when.conds()
				s.alert = s.alert || e.op == take && e.when.idle()
			}
		}
		for _, j := range n.reach(int32(i), func(e edge) bool { return e.op == proceed && e.when.idle() }) {
			s.fires = s.fires || n.states[j].kind == pending
		}
		n.widest = max(n.widest, width)
		n.fires = n.fires || s.fires
		n.bounds = n.bounds || s.wait > 0
		n.alert = n.alert || s.alert && int32(i) != n.start
	}
	n.findTorn()
	n.all = n.greedy || n.bounds || n.torn
	n.alert = n.alert || n.all
	n.starts = n.states[n.start].looks
	for _, i := range n.reach(n.start, func(e edge) bool { return e.op == proceed }) {
		n.anyStart = n.anyStart || slices.ContainsFunc(n.states[i].edges, func(e edge) bool { return e.op == take && e.when.idle() })
	}
	for i := range n.states {
		n.states[i].still = n.stays(int32(i))
	}
}

// spread carries ahead and whole one round backwards along the edges, and reports
// whether that changed anything.
func (n *NFA) spread(tr Traits) (changed bool) {
	for i := len(n.states) - 1; i >= 0; i-- {
		s := &n.states[i]
		ahead, whole := s.ahead, s.whole
		for _, e := range s.edges {
			c := e.when.conds()
			ahead |= c&tr.Correlated | n.states[e.to].ahead
			whole = whole || c&tr.Whole != 0 || n.states[e.to].whole
		}
		changed = changed || ahead != s.ahead || whole != s.whole
		s.ahead, s.joined, s.whole = ahead, ahead != 0, whole
	}
	return changed
}

// reach lists the states that edges which may be followed lead to from i,
// itself first.
func (n *NFA) reach(i int32, follow func(edge) bool) []int32 {
	list, seen := []int32{i}, make([]bool, len(n.states))
	seen[i] = true
	for k := 0; k < len(list); k++ {
		for _, e := range n.states[list[k]].edges {
			if follow(e) && !seen[e.to] {
				seen[e.to] = true
				list = append(list, e.to)
			}
		}
	}
	return list
}
