package automaton

// An event that meets no condition never changes what a run can still become, as a
// rule: where the pattern may go on in several ways, ignoring an event forks the run
// into one for each, which together wait for what it waited for. There are two
// exceptions, in which the event tears apart what stood or fell together. After
//
//	(a then b?) then not n then c
//
// has bound a, an n ends the run, for b need not come; but once some other event
// was ignored, one fork still waits for b, which n does not forbid, and another has
// gone past the group. This is so in Flink's NFA, which is shown every event, and the
// answers are to be the same. So is the second: of a run that time would complete,
// only the fork does complete that has gone on to the end, while the others run out
// of time.
//
// Which events a machine is shown must not depend on the index or on other rules. So
// a torn pattern is shown every event of keys that have something open.

// bans are conditions that end a run, in all states that Proceed edges lead to, and
// the conditions that must fail for that.
type bans struct{ nots, unless uint64 }

// findTorn sets torn and splits.
func (n *NFA) findTorn() {
	proceeds := func(e edge) bool { return e.op == proceed }
	ends := make([]bans, len(n.states))
	for i := range n.states {
		ends[i] = n.bans(n.reach(int32(i), proceeds))
	}
	for i := range n.states {
		if int32(i) == n.start {
			continue // what has not begun ignores nothing
		}
		for _, j := range n.reach(int32(i), proceeds) {
			for _, e := range n.states[j].edges {
				if e.op == ignore && n.states[e.to].kind != final {
					n.torn = n.torn || ends[e.to] != ends[i]
					n.splits = n.splits || n.states[e.to].fires != n.states[i].fires
				}
			}
		}
	}
}

// bans collects what ends a run in any of some states.
func (n *NFA) bans(states []int32) (b bans) {
	for _, i := range states {
		for _, e := range n.states[i].edges {
			if e.op != proceed || n.states[e.to].kind != stop {
				continue
			}
			for _, c := range e.when {
				b.nots |= c.pos
				b.unless |= c.neg
			}
		}
	}
	return b
}
